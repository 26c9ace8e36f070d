"""What is said about the connection itself: versions, headers, cancelling."""

import itertools
import struct

from cases import WireTest, fresh
from client import FRAME_PAYLOAD_BYTES_MAX, envelope
from every_method import ALL, CONTROL, IMMEDIATE, STORED, STREAMED
from programs import wait_until
from stock.v1 import connection_pb2 as connection
from stock.v1 import diagnostics_pb2 as diagnostics
from stock.v1 import health_pb2 as health
from stock.v1 import reservations_pb2 as reservations
from stock.v1 import stock_pb2 as stock

# Fields of numbers that no message has, one of each wire type.
UNKNOWN_FIELDS = (b"\xc0\x3e\x07" + b"\xc9\x3e" + b"8" * 8 + b"\xd2\x3e\x03new"
                  + b"\xdd\x3e" + b"4" * 4)


def hello(low, high, client="wire test"):
    return connection.HelloRequest(protocol_min=low, protocol_max=high, client=client)


class TestHello(WireTest):
    def test_the_highest_version_that_both_speak(self):
        for low, high, agreed in ((1, 1, 1), (1, 2, 2), (2, 2, 2), (1, 9, 2), (2, 2**32 - 1, 2)):
            with self.subTest(low=low, high=high):
                reply = self.connection.ask(
                    "Connection/Hello", hello(low, high), connection.HelloReply)
                self.assertEqual(reply.protocol, agreed)

    def test_no_version_in_common(self):
        self.assert_refused("Connection/Hello", hello(3, 9), envelope.CODE_FAILED_PRECONDITION,
                            "PROTOCOL_UNSUPPORTED")
        self.assertEqual(self.connection.call("Connection/Ping", connection.PingRequest()).status,
                         envelope.CODE_OK)
        self.assert_refused("Health/Check", health.HealthCheckRequest(), envelope.CODE_FAILED_PRECONDITION,
                            "PROTOCOL_UNSUPPORTED")
        self.assert_refused("Connection/Hello", hello(9, 8), envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD")
        self.connection.ask("Connection/Hello", hello(1, 2), connection.HelloReply)
        self.connection.ask("Health/Check", health.HealthCheckRequest(), health.HealthCheckReply)

    def test_versions_that_are_none(self):
        for low, high in ((0, 2), (3, 2), (0, 0)):
            with self.subTest(low=low, high=high):
                self.assert_refused(
                    "Connection/Hello", hello(low, high), envelope.CODE_INVALID_ARGUMENT,
                    "INVALID_FIELD", "protocol_min")

    def test_it_names_itself_and_its_limits(self):
        reply = self.connection.ask("Connection/Hello", hello(1, 2), connection.HelloReply)
        version = self.connection.ask(
            "Health/Check", health.HealthCheckRequest(), health.HealthCheckReply).version
        self.assertEqual(reply.server, "stockd/" + version)
        limits = reply.limits
        self.assertEqual(
            (limits.frame_bytes_max, limits.calls_in_flight_max,
             limits.request_bytes_in_flight_max, limits.streams_max, limits.window_bytes_max),
            (FRAME_PAYLOAD_BYTES_MAX, 16_384, 8 * 1024 * 1024, 64, 1024 * 1024))

    def test_a_name_for_the_log(self):
        name = "wire\n" + "x" * 100
        self.connection.ask("Connection/Hello", hello(1, 2, name), connection.HelloReply)
        state = self.connection.ask(
            "Diagnostics/State", diagnostics.StateRequest(), diagnostics.StateReply)
        names = {one.client for shard in state.shards for one in shard.connections}
        self.assertIn("wire" + "x" * 59, names)

    def test_a_client_of_a_later_version(self):
        """It knows more fields than the server, in the envelope and in every message."""
        self.set_stock(1_000)
        for method, request in ALL.items():
            with self.subTest(method=method):
                self.connection.call_id += 1
                call_id = self.connection.call_id
                self.connection.methods[call_id] = "stock.v1." + method
                message = request(self.sku).SerializeToString()
                if method == "Connection/Hello":
                    message = hello(2, 7, "later").SerializeToString()
                payload = envelope.Request(
                    call_id=call_id, method="stock.v1." + method, timeout_ms=5000,
                    message=message + UNKNOWN_FIELDS).SerializeToString() + UNKNOWN_FIELDS
                self.connection.send(struct.pack(">I", len(payload)) + payload)
                response = self.connection.response_to(call_id)
                self.assertEqual(response.status, envelope.CODE_OK, response)
                if method == "Connection/Hello":
                    reply = connection.HelloReply.FromString(response.message)
                    self.assertEqual(reply.protocol, 2)
                if response.more:
                    self.connection.call(
                        "Connection/Cancel", connection.CancelCallRequest(call_id=call_id))
                    self.assert_failed(self.connection.response_to(call_id),
                                       envelope.CODE_CANCELLED, "CANCELLED")


class TestEveryMethod(WireTest):
    def test_a_message_that_is_none(self):
        takes_anything = {"Connection/Ping", "Reflection/Describe"}
        for method in ALL.keys() - takes_anything:
            with self.subTest(method=method):
                self.connection.send(self.connection.frame(method, _Garbage()))
                self.assert_failed(
                    self.connection.response_to(self.connection.call_id),
                    envelope.CODE_INVALID_ARGUMENT, "MALFORMED_MESSAGE")

    def test_too_many_headers(self):
        many = [envelope.Metadata(key=f"k{place}", value="v") for place in range(33)]
        for method in ALL:
            with self.subTest(method=method):
                response = self.connection.call(method, ALL[method](self.sku), metadata=many)
                self.assert_failed(response, envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD")
        for method in ALL:
            with self.subTest(method=method, headers=32):
                call_id = self.connection.start(
                    method, ALL[method](self.sku), metadata=many[:32])
                response = self.connection.response_to(call_id)
                self.assertEqual(response.status, envelope.CODE_OK, response)
                if response.more:
                    self.connection.call(
                        "Connection/Cancel", connection.CancelCallRequest(call_id=call_id))

    def test_a_deadline_at(self):
        """Whatever the clocks say: one that has passed, the last one, and one that is no time."""
        self.set_stock(3)
        for method in (STORED | STREAMED | IMMEDIATE).keys():
            with self.subTest(method=method):
                response = self.connection.call(
                    method, ALL[method](self.sku), timeout_ms=60_000, deadline_at=1)
                self.assert_failed(response, envelope.CODE_DEADLINE_EXCEEDED, "DEADLINE")
        self.assert_figures(3, 0, 0)
        for method, far in itertools.product(ALL, ((2**64 - 1) // 1_000_000, 2**64 - 1)):
            with self.subTest(method=method, deadline_at=far):
                call_id = self.connection.start(method, ALL[method](self.sku), deadline_at=far)
                response = self.connection.response_to(call_id)
                self.assertEqual(response.status, envelope.CODE_OK, response)
                if response.more:
                    self.connection.call(
                        "Connection/Cancel", connection.CancelCallRequest(call_id=call_id))

    def test_the_request_id_comes_back(self):
        self.set_stock(3)
        for method in (STORED | IMMEDIATE).keys():
            with self.subTest(method=method):
                tag = fresh("request")
                response = self.connection.call(
                    method, ALL[method](self.sku),
                    metadata=[envelope.Metadata(key="x-request-id", value=tag)])
                self.assertEqual(
                    [(one.key, one.value) for one in response.metadata], [("x-request-id", tag)])

    def test_the_request_id_comes_back_with_a_failure(self):
        for value, back in (("r" * 256, True), ("r" * 257, False)):
            response = self.connection.call(
                "Stock/Get", stock.GetStockRequest(sku="a b"),
                metadata=[envelope.Metadata(key="x-request-id", value=value)])
            self.assertEqual(response.status, envelope.CODE_INVALID_ARGUMENT)
            self.assertEqual(len(response.metadata), int(back))

    def test_unknown_service_of_the_health_check(self):
        self.assert_refused("Health/Check", health.HealthCheckRequest(service="stock.v1.Nothing"),
                            envelope.CODE_NOT_FOUND, "UNKNOWN_SERVICE", "service")
        for service in {method.partition("/")[0] for method in ALL}:
            with self.subTest(service=service):
                reply = self.connection.ask(
                    "Health/Check", health.HealthCheckRequest(service="stock.v1." + service),
                    health.HealthCheckReply)
                self.assertIn(reply.status, (health.SERVING, health.DEGRADED))


class _Garbage:
    """Stands for a message; its bytes are none: a field that is longer than what follows."""

    def SerializeToString(self):  # noqa: N802
        return b"\x0a\xff"


class TestCancel(WireTest):
    """With a store that does not answer, so that calls wait."""

    def setUp(self):
        super().setUp()
        self.set_stock(10)
        self.stop_store()
        self.first = self.occupy_store()

    def cancel(self, call_id):
        return self.connection.ask(
            "Connection/Cancel", connection.CancelCallRequest(call_id=call_id),
            connection.CancelCallReply).found

    def test_a_call_that_has_not_been_sent_has_not_happened(self):
        waiting = {method: self.connection.start(method, request(self.sku))
                   for method, request in STORED.items()}
        for method, call_id in waiting.items():
            with self.subTest(method=method):
                self.assertTrue(self.cancel(call_id))
                self.assert_not_done(method, self.connection.response_to(call_id),
                                     envelope.CODE_CANCELLED, "CANCELLED")
                self.assertFalse(self.cancel(call_id), "it has ended")
        self.wake_store()
        self.assertEqual(self.connection.response_to(self.first).status, envelope.CODE_OK)
        self.assert_figures(9, 1, 0)

    def test_a_call_that_has_been_sent_ends_as_if_nothing_had_been_said(self):
        self.assertTrue(self.cancel(self.first))
        self.wake_store()
        response = self.connection.response_to(self.first)
        self.assertEqual(response.status, envelope.CODE_OK)
        reply = reservations.ReserveReply.FromString(response.message)
        self.assertEqual(reply.outcome, reservations.HELD)
        self.assert_figures(9, 1, 0)

    def test_a_call_of_another_connection_is_not_touched(self):
        other = self.connect()
        self.assertFalse(other.ask(
            "Connection/Cancel", connection.CancelCallRequest(call_id=self.first),
            connection.CancelCallReply).found)
        self.assertFalse(self.cancel(1_000_000))

    def test_the_connection_answers_while_the_store_is_silent(self):
        for method, request in (CONTROL | IMMEDIATE).items():
            with self.subTest(method=method):
                response = self.connection.call(method, request(self.sku))
                self.assertEqual(response.status, envelope.CODE_OK)

    def test_closing_cancels_what_has_not_been_sent(self):
        leaver = self.connect()
        leaver.start("Reservations/Reserve", self.reserve_request(qty=5))
        wait_until(lambda: self.batch().waiting == 1, "the call waits")
        leaver.socket.close()
        wait_until(lambda: self.batch().waiting == 0, "it has been taken back")
        self.wake_store()
        self.assertEqual(self.connection.response_to(self.first).status, envelope.CODE_OK)
        self.assert_figures(9, 1, 0)
