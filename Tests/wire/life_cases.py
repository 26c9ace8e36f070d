"""How much a connection may have under way, how long it lives, and how it ends."""

import socket
import time

from cases import WireTest
from client import Closed, envelope, frame
from connection_cases import hello
from every_method import ALL, CONTROL, IMMEDIATE, STORED, STREAMED
from programs import wait_until
from stock.v1 import connection_pb2 as connection
from stock.v1 import health_pb2 as health
from stock.v1 import stock_pb2 as stock

CALLS_MAX = 16_384
STREAMS_MAX = 64


class TestWindows(WireTest):
    """How much one connection may have under way."""

    def setUp(self):
        super().setUp()
        self.own_programs()

    def test_calls_in_flight(self):
        with self.programs.another_server() as (_, address):
            peer = self.connect(address)
            self.stop_store()
            small = stock.GetStockRequest(sku=self.sku)
            peer.send(b"".join(
                peer.frame("Stock/Get", small, timeout_ms=60_000) for _ in range(CALLS_MAX)))
            for method in (STORED | STREAMED | IMMEDIATE).keys():
                with self.subTest(method=method):
                    response = peer.call(method, ALL[method](self.sku))
                    self.assert_failed(
                        response, envelope.CODE_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
                    self.assertTrue(response.detail.retryable)
                    self.assertGreater(response.detail.retry_after_ms, 0)
            for method in CONTROL:
                with self.subTest(method=method):
                    response = peer.call(method, ALL[method](self.sku))
                    self.assertEqual(response.status, envelope.CODE_OK)
            self.wake_store()
            for call_id in range(1, CALLS_MAX + 1):
                self.assertEqual(peer.response_to(call_id).status, envelope.CODE_OK)
            self.assertEqual(peer.call("Stock/Get", small).status, envelope.CODE_OK)

    def test_bytes_in_flight(self):
        self.stop_store()
        padding = [envelope.Metadata(key="padding", value="x" * (2_000_000))]
        request = stock.GetStockRequest(sku=self.sku)
        waiting = [self.connection.start("Stock/Get", request, metadata=padding, timeout_ms=60_000)
                   for _ in range(4)]
        for method in (STORED | STREAMED | IMMEDIATE).keys():
            with self.subTest(method=method):
                response = self.connection.call(method, ALL[method](self.sku), metadata=padding)
                self.assert_failed(response, envelope.CODE_RESOURCE_EXHAUSTED, "TOO_MANY_BYTES")
        self.assertEqual(
            self.connection.call("Health/Check", health.HealthCheckRequest()).status,
            envelope.CODE_OK, "a small one still fits")
        self.wake_store()
        for call_id in waiting:
            self.assertEqual(self.connection.response_to(call_id).status, envelope.CODE_OK)

    def test_streams(self):
        request = stock.WatchStockRequest(skus=[self.sku])
        streams = [self.connection.start("Stock/Watch", request, timeout_ms=0)
                   for _ in range(STREAMS_MAX)]
        for method in STREAMED:
            with self.subTest(method=method):
                self.assert_failed(
                    self.connection.call(method, STREAMED[method](self.sku), timeout_ms=0),
                    envelope.CODE_RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
        self.connection.call(
            "Connection/Cancel", connection.CancelCallRequest(call_id=streams[7]))
        last = self.connection.call("Stock/Watch", request, timeout_ms=0)
        self.assertTrue(last.more)

    def test_a_second_call_under_the_same_id(self):
        self.stop_store()
        request = stock.GetStockRequest(sku=self.sku).SerializeToString()
        twice = frame(envelope.Request(call_id=5, method="stock.v1.Stock/Get", message=request))
        self.connection.send(twice + twice)
        with self.assertRaises(Closed):
            self.connection.receive()


class TestLife(WireTest):
    """A connection ends with a notice, unless its peer is to blame."""

    def setUp(self):
        super().setUp()
        self.own_programs()

    def assert_told(self, peer, reason):
        """A notice, and the end half a second after it."""
        with self.assertRaises(Closed):
            peer.receive()
        (notice,) = peer.notices
        self.assertIn(reason, notice.going_away.reason)
        self.assertGreater(notice.going_away.close_after_ms, 0)

    def test_idle_and_age(self):
        for flag, reason in (("--connection-idle-ms", "idle"), ("--connection-age-ms", "age")):
            with self.subTest(flag=flag), self.programs.another_server(flag, "1500") as (
                    _, address):
                peer = self.connect(address)
                reply = peer.ask("Connection/Hello", hello(1, 2), connection.HelloReply)
                self.assertEqual((reply.limits.idle_ms == 1500, reply.limits.age_ms == 1500),
                                 (reason == "idle", reason == "age"))
                self.assert_told(peer, reason)
                self.connect(address).ask(
                    "Connection/Hello", hello(1, 2), connection.HelloReply)

    def test_a_connection_with_a_call_is_not_idle(self):
        with self.programs.another_server("--connection-idle-ms", "500") as (_, address):
            peer = self.connect(address)
            watch = peer.start("Stock/Watch", stock.WatchStockRequest(skus=[self.sku]),
                               timeout_ms=2_000)
            self.assertTrue(peer.response_to(watch).more)
            self.assert_failed(
                peer.response_to(watch), envelope.CODE_DEADLINE_EXCEEDED, "DEADLINE")
            self.assertEqual(peer.notices, [])

    def test_connections_in_all_and_of_a_peer(self):
        for flag in ("--connections-max", "--connections-per-peer-max"):
            with self.subTest(flag=flag), self.programs.another_server(flag, "3") as (_, address):
                peers = []
                wait_until(lambda: self.fill(peers, address, 3), "three are connected")
                for peer in peers[1:]:
                    peer.call("Connection/Ping", connection.PingRequest())
                with self.assertRaises(Closed):
                    self.connect(address).receive()
                peers.pop().socket.close()
                wait_until(lambda: self.fill(peers, address, 3), "another has its place")

    def fill(self, peers, address, count):
        """Connections that the server has taken; one that it has not is tried again."""
        while len(peers) < count:
            peer = self.connect(address)
            try:
                peer.call("Connection/Ping", connection.PingRequest())
            except (Closed, ConnectionError):
                return False
            peers.append(peer)
        return True

    def test_drain(self):
        self.set_stock(10)
        with self.programs.another_server() as (process, address):
            peer, idle = self.connect(address), self.connect(address)
            idle.call("Connection/Ping", connection.PingRequest())
            streams = {method: peer.start(method, request(self.sku), timeout_ms=0)
                       for method, request in STREAMED.items()}
            for call_id in streams.values():
                self.assertTrue(peer.response_to(call_id).more)
            self.stop_store()
            accepted = peer.start("Reservations/Reserve", self.reserve_request())
            process.terminate()
            for call_id in streams.values():
                self.assert_failed(peer.response_to(call_id), envelope.CODE_UNAVAILABLE,
                                   "SHUTTING_DOWN")
            self.assertIn("shutting down", peer.notices[0].going_away.reason)
            for method in (STORED | STREAMED | IMMEDIATE).keys():
                with self.subTest(method=method):
                    response = peer.call(method, ALL[method](self.sku))
                    self.assert_failed(response, envelope.CODE_UNAVAILABLE, "SHUTTING_DOWN")
                    self.assertTrue(response.detail.retryable)
            self.assertEqual(peer.call("Connection/Ping", connection.PingRequest()).status,
                             envelope.CODE_OK)
            self.assert_told(idle, "shutting down")
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(address)
            self.wake_store()
            self.assertEqual(peer.response_to(accepted).status, envelope.CODE_OK)
            with self.assertRaises(Closed):
                peer.receive()
            self.assertEqual(process.wait(20), 0)
        self.assert_figures(9, 1, 0)

    def test_a_call_on_its_way_hears_that_it_was_not_made(self):
        """Between the notice and the end there is half a second."""
        with self.programs.another_server() as (process, address):
            peer = self.connect(address)
            peer.call("Connection/Ping", connection.PingRequest())
            process.terminate()
            began = time.monotonic()
            wait_until(lambda: self.refused(peer), "a call is refused")
            self.assertLess(time.monotonic() - began, 5)

    def refused(self, peer):
        response = peer.call("Stock/Get", stock.GetStockRequest(sku=self.sku))
        if response.status == envelope.CODE_OK:
            return False
        self.assert_failed(response, envelope.CODE_UNAVAILABLE, "SHUTTING_DOWN")
        return True
