"""A sale, call by call; fields out of their range; bytes that are no frame."""

import socket
import struct
import time
import uuid

from cases import WireTest, fresh
from client import FRAME_PAYLOAD_BYTES_MAX, Closed, envelope, frame
from programs import wait_until
from stock.v1 import health_pb2 as health
from stock.v1 import reservations_pb2 as reservations
from stock.v1 import stock_pb2 as stock

QTY_MAX = 1_000_000
UNITS_MAX = 1_000_000_000_000


class TestSale(WireTest):
    def test_health(self):
        reply = self.connection.ask(
            "Health/Check", health.HealthCheckRequest(), health.HealthCheckReply)
        self.assertIn(reply.status, (health.SERVING, health.DEGRADED))
        self.assertTrue(reply.version)

    def test_set_moves_available_and_supplied(self):
        reply = self.set_stock(3)
        self.assertEqual(reply.outcome, reservations.STOCK_SET)
        self.assertEqual(reply.stock.sku, self.sku)
        self.assert_figures(3, 0, 0)
        self.reserve()
        self.set_stock(7)
        self.assert_figures(7, 1, 0)

    def test_set_repeated(self):
        request_id = fresh("set")
        first = self.set_stock(3, request_id)
        self.reserve()
        again = self.set_stock(3, request_id)
        self.assertEqual(again.outcome, reservations.REPEATED)
        self.assertEqual(again.stock.version, first.stock.version)
        self.assert_figures(2, 1, 0)

    def test_set_with_a_used_request_id(self):
        self.set_stock(3, "set-" + self.sku)
        self.assert_refused(
            "Stock/Set",
            stock.SetStockRequest(sku=self.sku, available=4, request_id="set-" + self.sku),
            envelope.CODE_ALREADY_EXISTS, "REQUEST_ID_REUSED")
        self.assert_figures(3, 0, 0)

    def test_stock_of_an_unknown_sku(self):
        self.assertEqual(self.get_stock().outcome, reservations.UNKNOWN_SKU)
        self.assertEqual(self.reserve().outcome, reservations.UNKNOWN_SKU)

    def test_reserve(self):
        self.set_stock(3)
        reply = self.reserve(qty=2, ttl_ms=60_000)
        self.assertEqual(reply.outcome, reservations.HELD)
        self.assertEqual(reply.status, reservations.Hold.ACTIVE)
        self.assertEqual(reply.available, 1)
        self.assertTrue(reply.hold_id.startswith("H-"))
        self.assertAlmostEqual(reply.expires_at / 1000, time.time() + 60, delta=10)
        self.assert_figures(1, 2, 0)

    def test_reserve_repeated_takes_nothing(self):
        self.set_stock(3)
        request = self.reserve_request(qty=2)
        first, again = self.reserve(request), self.reserve(request)
        self.assertEqual(again.outcome, reservations.REPEATED)
        self.assertEqual(again.hold_id, first.hold_id)
        self.assert_figures(1, 2, 0)
        self.confirm(first.hold_id)
        self.assertEqual(self.reserve(request).status, reservations.Hold.CONFIRMED)
        self.assert_figures(1, 0, 2)

    def test_one_key_for_two_requests(self):
        self.set_stock(3)
        request = self.reserve_request(qty=1)
        self.reserve(request)
        request.qty = 2
        self.assert_refused("Reservations/Reserve", request, envelope.CODE_ALREADY_EXISTS,
                            "IDEMPOTENCY_KEY_REUSED")
        self.assert_figures(2, 1, 0)

    def test_one_key_of_two_users_is_two_holds(self):
        self.set_stock(3)
        key = fresh("key")
        holds = {self.reserve(user_id=user, idempotency_key=key).hold_id for user in ("a", "b")}
        self.assertEqual(len(holds), 2)

    def test_sold_out(self):
        self.set_stock(3)
        self.reserve(qty=2)
        request = self.reserve_request(qty=2)
        reply = self.reserve(request)
        self.assertEqual((reply.outcome, reply.available), (reservations.SOLD_OUT, 1))
        self.assertEqual(reply.hold_id, "")
        self.set_stock(2)
        self.assertEqual(self.reserve(request).outcome, reservations.HELD)

    def test_confirm(self):
        self.set_stock(3)
        hold_id = self.reserve(qty=2).hold_id
        reply = self.confirm(hold_id)
        self.assertEqual(reply.outcome, reservations.CONFIRMED)
        self.assertEqual(reply.hold.status, reservations.Hold.CONFIRMED)
        self.assertEqual(reply.hold.payment_ref, "pay-1")
        self.assertEqual(reply.hold.version, 2)
        uuid.UUID(reply.hold.order_id)
        self.assert_figures(1, 0, 2)
        again = self.confirm(hold_id)
        self.assertEqual(again.outcome, reservations.REPEATED)
        self.assertEqual(again.hold, reply.hold)
        self.assertEqual(self.cancel(hold_id).outcome, reservations.ALREADY_CONFIRMED)
        self.assert_figures(1, 0, 2)

    def test_confirm_with_another_payment(self):
        self.set_stock(1)
        hold_id = self.reserve().hold_id
        self.confirm(hold_id, "pay-1")
        self.assert_refused(
            "Reservations/Confirm",
            reservations.ConfirmRequest(hold_id=hold_id, payment_ref="pay-2"),
            envelope.CODE_ALREADY_EXISTS, "PAYMENT_REF_MISMATCH")

    def test_cancel(self):
        self.set_stock(3)
        hold_id = self.reserve(qty=2).hold_id
        reply = self.cancel(hold_id)
        self.assertEqual(reply.outcome, reservations.CANCELLED)
        self.assertEqual(reply.hold.status, reservations.Hold.CANCELLED)
        self.assertEqual(self.cancel(hold_id).outcome, reservations.REPEATED)
        self.assertEqual(self.confirm(hold_id).outcome, reservations.ALREADY_CANCELLED)
        self.assert_figures(3, 0, 0)

    def test_expired(self):
        self.set_stock(1)
        hold_id = self.reserve(ttl_ms=1000).hold_id
        wait_until(
            lambda: self.get_hold(hold_id=hold_id).hold.status == reservations.Hold.EXPIRED,
            "the hold has expired", 5)
        self.assertEqual(self.confirm(hold_id).outcome, reservations.EXPIRED)
        self.assertEqual(self.cancel(hold_id).outcome, reservations.EXPIRED)
        wait_until(lambda: self.get_stock().stock.available == 1, "the stock is back", 3)
        self.assert_figures(1, 0, 0)

    def test_get_hold(self):
        self.set_stock(3)
        request = self.reserve_request(qty=2, user_id="ada ☕")
        hold_id = self.reserve(request).hold_id
        by_id = self.get_hold(hold_id=hold_id)
        by_key = self.get_hold(user_id="ada ☕", idempotency_key=request.idempotency_key)
        self.assertEqual(by_id.outcome, reservations.FOUND)
        self.assertEqual(by_id, by_key)
        hold = by_id.hold
        self.assertEqual(
            (hold.hold_id, hold.sku, hold.qty, hold.user_id, hold.idempotency_key, hold.version),
            (hold_id, self.sku, 2, "ada ☕", request.idempotency_key, 1))
        self.assertLess(hold.created_at, hold.expires_at)

    def test_no_such_hold(self):
        self.set_stock(1)
        hold_id = self.reserve().hold_id
        other_life = hold_id.rpartition("-")[0] + "-1"
        for unknown in (other_life, "H-" + "0" * 28 + "-1"):
            with self.subTest(hold_id=unknown):
                for reply in (self.get_hold(hold_id=unknown), self.confirm(unknown),
                              self.cancel(unknown)):
                    self.assertEqual(reply.outcome, reservations.NO_SUCH_HOLD)
                    self.assertFalse(reply.HasField("hold"))
        by_key = self.get_hold(user_id="nobody", idempotency_key=fresh("key"))
        self.assertEqual(by_key.outcome, reservations.NO_SUCH_HOLD)
        self.assertEqual(self.get_hold(hold_id=hold_id).hold.status, reservations.Hold.ACTIVE)


class TestFields(WireTest):
    """Every field out of its range is refused, by name."""

    TEXTS = ["", "x" * 129, "line\nend", "nul\0", "del\x7f", "ada\u202e", "ada\ufeff", "\U000e0041"]

    def assert_invalid(self, method, request, field):
        self.assert_refused(
            method, request, envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD", field)

    def test_reserve(self):
        self.set_stock(UNITS_MAX)
        table = {
            "sku": ["", "x" * 129, "a b", "a:b", "a{b}", "é", "a\n", "a\0"],
            "qty": [0, QTY_MAX + 1, 2**63, 2**64 - 1],
            "user_id": self.TEXTS,
            "idempotency_key": self.TEXTS,
            "ttl_ms": [1, 999, 604_800_001, 2**64 - 1],
        }
        for field, values in table.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    self.assert_invalid(
                        "Reservations/Reserve", self.reserve_request(**{field: value}), field)
        self.assert_figures(UNITS_MAX, 0, 0)

    def test_reserve_at_the_edges(self):
        self.sku = self.sku + "/._-" + "Z" * (128 - len(self.sku) - 4)
        self.set_stock(2 * QTY_MAX)
        edges = dict(user_id="u" * 128, ttl_ms=604_800_000, qty=QTY_MAX)
        for fields in (edges, dict(ttl_ms=1000, user_id="é" * 64, idempotency_key="k" * 128)):
            with self.subTest(fields=fields):
                self.assertEqual(self.reserve(**fields).outcome, reservations.HELD)

    def test_confirm_cancel_get(self):
        self.set_stock(1)
        hold_id = self.reserve().hold_id
        for ref in self.TEXTS:
            with self.subTest(payment_ref=ref):
                self.assert_invalid(
                    "Reservations/Confirm",
                    reservations.ConfirmRequest(hold_id=hold_id, payment_ref=ref), "payment_ref")
        for bad in ("", "H-", "box", hold_id + "x", hold_id.rpartition("-")[0], "x" * 1000,
                    hold_id.lower(), hold_id + "9" * 20):
            with self.subTest(hold_id=bad):
                self.assert_invalid(
                    "Reservations/Confirm",
                    reservations.ConfirmRequest(hold_id=bad, payment_ref="p"), "hold_id")
                self.assert_invalid(
                    "Reservations/Cancel", reservations.CancelRequest(hold_id=bad), "hold_id")
        self.assert_invalid(
            "Reservations/GetHold", reservations.GetHoldRequest(hold_id="box"), "hold_id")
        self.assertEqual(self.get_hold(hold_id=hold_id).hold.status, reservations.Hold.ACTIVE)

    def test_get_hold_asks_for_one_thing(self):
        for request in (reservations.GetHoldRequest(),
                        reservations.GetHoldRequest(user_id="ada"),
                        reservations.GetHoldRequest(idempotency_key="k")):
            with self.subTest(request=request):
                response = self.connection.call("Reservations/GetHold", request)
                self.assertEqual(response.status, envelope.CODE_INVALID_ARGUMENT)
                self.assertEqual(response.detail.reason, "INVALID_FIELD")

    def test_stock(self):
        table = {
            "sku": ["", "x" * 129, "a b"],
            "available": [UNITS_MAX + 1, 2**64 - 1],
            "request_id": self.TEXTS,
        }
        for field, values in table.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    whole = dict(sku=self.sku, available=1, request_id="r") | {field: value}
                    self.assert_invalid("Stock/Set", stock.SetStockRequest(**whole), field)
        self.assert_invalid("Stock/Get", stock.GetStockRequest(sku="a b"), "sku")
        self.assert_invalid("Stock/Adopt", stock.AdoptStockRequest(sku=""), "sku")
        self.assertEqual(self.get_stock().outcome, reservations.UNKNOWN_SKU)

    def test_a_message_that_is_none(self):
        self.connection.send(frame(envelope.Request(
            call_id=5, method="stock.v1.Stock/Get", message=b"\x0a\xff")))
        response = self.connection.receive()
        self.assertEqual((response.call_id, response.status), (5, envelope.CODE_INVALID_ARGUMENT))


class TestFrames(WireTest):
    """Bytes that arrive as they please, and bytes that are no frame."""

    HEALTH = ("Health/Check", health.HealthCheckRequest())

    def assert_closed(self):
        with self.assertRaises(Closed):
            self.connection.receive()
        self.assert_still_serves()

    def test_unknown_methods(self):
        for method in ("Stock/Steal", "Nothing/Get", "Stock", "", "Stock/Get/More"):
            with self.subTest(method=method):
                response = self.connection.call(method, stock.GetStockRequest(sku=self.sku))
                self.assertEqual(response.status, envelope.CODE_UNIMPLEMENTED)
        self.assertEqual(self.connection.call(*self.HEALTH).status, envelope.CODE_OK)

    def test_byte_by_byte(self):
        self.connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in self.connection.frame(*self.HEALTH):
            self.connection.send(bytes([byte]))
            time.sleep(0.001)
        self.assertEqual(self.connection.receive().status, envelope.CODE_OK)

    def test_many_calls_in_one_piece(self):
        self.set_stock(100)
        ids = range(self.connection.call_id + 1, self.connection.call_id + 101)
        self.connection.send(b"".join(
            self.connection.frame("Reservations/Reserve", self.reserve_request()) for _ in ids))
        responses = [self.connection.receive() for _ in ids]
        self.assertEqual(sorted(response.call_id for response in responses), list(ids))
        replies = [reservations.ReserveReply.FromString(r.message) for r in responses]
        self.assertEqual({reply.outcome for reply in replies}, {reservations.HELD})
        self.assertEqual(len({reply.hold_id for reply in replies}), 100)
        self.assert_figures(0, 100, 0)

    def test_largest_frame(self):
        request = envelope.Request(call_id=1, method="stock.v1.Health/Check")
        request.metadata.add(key="padding", value="x")
        while (missing := FRAME_PAYLOAD_BYTES_MAX - request.ByteSize()) != 0:
            value = request.metadata[0].value
            request.metadata[0].value = (value + "x" * missing if missing > 0
                                         else value[:missing])
        self.connection.send(frame(request))
        self.assertEqual(self.connection.receive().call_id, 1)

    def test_oversized_frame(self):
        self.connection.send(struct.pack(">I", FRAME_PAYLOAD_BYTES_MAX + 1))
        self.assert_closed()

    def test_frame_of_four_gigabytes(self):
        self.connection.send(b"\xff\xff\xff\xff" + b"x" * 1000)
        self.assert_closed()

    def test_empty_frame(self):
        self.connection.send(b"\0\0\0\0")
        self.assert_closed()

    def test_garbage_in_a_frame(self):
        self.connection.send(struct.pack(">I", 8) + b"\xff" * 8)
        self.assert_closed()

    def test_another_protocol(self):
        self.connection.send(b"GET / HTTP/1.1\r\nHost: stock\r\n\r\n")
        self.assert_closed()

    def test_call_id_zero(self):
        self.connection.send(frame(envelope.Request(method="stock.v1.Health/Check")))
        self.assert_closed()

    def test_truncated_frame(self):
        whole = self.connection.frame(*self.HEALTH)
        self.connection.send(whole[:-1])
        self.connection.socket.shutdown(socket.SHUT_WR)
        self.assert_closed()

    def test_half_closed(self):
        self.connection.send(self.connection.frame(*self.HEALTH))
        self.assertEqual(self.connection.receive().status, envelope.CODE_OK)
        self.connection.socket.shutdown(socket.SHUT_WR)
        self.assert_closed()
