"""What callers are told when the store is silent, away, full or wrong."""

import time

from cases import WireTest, fresh
from client import envelope
from every_method import STORED
from programs import wait_until
from stock.v1 import health_pb2 as health
from stock.v1 import reservations_pb2 as reservations
from stock.v1 import stock_pb2 as stock

PLACES_HOLDS = ("Reservations/Reserve", "Reservations/BatchReserve")


class StoreTest(WireTest):
    def setUp(self):
        super().setUp()
        self.own_programs()
        self.set_stock(1_000)

    def health(self, connection=None):
        return (connection or self.connection).ask(
            "Health/Check", health.HealthCheckRequest(), health.HealthCheckReply)

    def reserve_status(self, connection=None):
        return (connection or self.connection).call(
            "Reservations/Reserve", self.reserve_request())


class TestSilentStore(StoreTest):
    def test_deadline(self):
        self.stop_store()
        sent = self.occupy_store(timeout_ms=2_000)
        waiting = {method: self.connection.start(method, request(self.sku), timeout_ms=100)
                   for method, request in STORED.items()}
        for method, call_id in waiting.items():
            with self.subTest(method=method):
                response = self.connection.response_to(call_id)
                self.assert_not_done(method, response, envelope.CODE_DEADLINE_EXCEEDED, "DEADLINE")
        self.assert_failed(self.connection.response_to(sent), envelope.CODE_DEADLINE_EXCEEDED,
                           "DEADLINE", outcome_unknown=True)
        self.wake_store()
        self.assert_figures(1_000, 0, 0)

    def test_what_was_given_up(self):
        """It does not happen later; the same call again is done."""
        self.stop_store()
        request = self.reserve_request()
        response = self.connection.call("Reservations/Reserve", request, timeout_ms=100)
        self.assert_failed(response, envelope.CODE_DEADLINE_EXCEEDED, "DEADLINE",
                           outcome_unknown=True)
        self.wake_store()
        self.assertEqual(self.reserve(request).outcome, reservations.HELD)
        self.assert_figures(999, 1, 0)

    def test_timeouts_are_cut(self):
        """0 is 5 seconds; what comes later than that is not waited for."""
        self.stop_store()
        began = time.monotonic()
        response = self.connection.call(
            "Stock/Get", stock.GetStockRequest(sku=self.sku), timeout_ms=0)
        self.assertEqual(response.detail.reason, "DEADLINE")
        self.assertAlmostEqual(time.monotonic() - began, 5, delta=2)

    def test_what_would_wait_for_too_long(self):
        """Once the server knows how long a call takes, it refuses what would be late."""
        many = [self.reserve_request() for _ in range(4_096)]
        whole = reservations.BatchReserveRequest(items=many)
        first = self.connection.call("Reservations/BatchReserve", whole, timeout_ms=60_000)
        self.assertEqual(first.status, envelope.CODE_OK)
        self.stop_store()
        waiting = self.connection.start("Reservations/BatchReserve", whole, timeout_ms=60_000)
        wait_until(lambda: self.batch().waiting > 2_000, "it waits")
        for method, request in STORED.items():
            with self.subTest(method=method):
                response = self.connection.call(method, request(self.sku), timeout_ms=1)
                self.assert_failed(response, envelope.CODE_RESOURCE_EXHAUSTED, "OVERLOADED")
                self.assertTrue(response.detail.retryable)
                self.assertGreaterEqual(response.detail.retry_after_ms, 10)
        self.wake_store()
        self.assertEqual(self.connection.response_to(waiting).status, envelope.CODE_OK)


class TestStoreAway(StoreTest):
    def test_unreachable(self):
        self.programs.kill_store()
        wait_until(lambda: self.health().status == health.NOT_SERVING, "it is noticed")
        try:
            self.assertTrue(self.health().warnings[0].startswith("redis"))
            calls = {method: self.connection.start(method, request(self.sku), timeout_ms=200)
                     for method, request in STORED.items()}
            for method, call_id in calls.items():
                with self.subTest(method=method):
                    response = self.connection.response_to(call_id)
                    self.assert_not_done(
                        method, response, envelope.CODE_UNAVAILABLE, "STORE_UNREACHABLE")
            for service, expected in (
                    ("Reservations", health.NOT_SERVING), ("Stock", health.NOT_SERVING),
                    ("Connection", health.SERVING), ("Reflection", health.SERVING)):
                reply = self.connection.ask(
                    "Health/Check", health.HealthCheckRequest(service="stock.v1." + service),
                    health.HealthCheckReply)
                self.assertEqual(reply.status, expected, service)
        finally:
            self.programs.start_store()
            wait_until(self.programs.sells, "the server sells again")
        self.assert_figures(1_000, 0, 0)


class TestStoreForgot(StoreTest):
    def test_emptied(self):
        fence = self.programs.store("HGET", "fence", "epoch")
        self.programs.store("HDEL", "fence", "epoch", "open")
        wait_until(lambda: self.health().status == health.NOT_SERVING, "it is noticed")
        try:
            for method, request in STORED.items():
                with self.subTest(method=method):
                    response = self.connection.call(method, request(self.sku))
                    self.assert_not_done(
                        method, response, envelope.CODE_UNAVAILABLE, "STORE_FENCED")
        finally:
            self.programs.open_store()
            wait_until(self.programs.sells, "the server sells again")
        self.assertEqual(self.programs.store("HGET", "fence", "epoch"), fence)
        self.assert_figures(1_000, 0, 0)


class TestStoreRefuses(StoreTest):
    def test_no_writing(self):
        self.programs.store("CONFIG", "SET", "min-replicas-to-write", "1")
        try:
            for method, request in STORED.items():
                with self.subTest(method=method):
                    response = self.connection.call(method, request(self.sku))
                    self.assert_not_done(
                        method, response, envelope.CODE_UNAVAILABLE, "STORE_REFUSED")
        finally:
            self.programs.store("CONFIG", "SET", "min-replicas-to-write", "0")
            wait_until(self.programs.sells, "the server sells again")
        self.assertEqual(self.reserve().outcome, reservations.HELD)
        self.assert_figures(999, 1, 0)

    def test_set_to_promise_less(self):
        """What Redis cannot keep is not promised: nothing changes, and reading goes on."""
        reads = {"Reservations/GetHold", "Stock/Get", "Stock/List"}
        self.programs.store("CONFIG", "SET", "appendfsync", "everysec")
        try:
            wait_until(lambda: self.health().status == health.NOT_SERVING, "it is noticed")
            for method, request in STORED.items():
                with self.subTest(method=method):
                    if method in reads:
                        response = self.connection.call(method, request(self.sku))
                        self.assertEqual(response.status, envelope.CODE_OK)
                    else:
                        self.assert_refused(
                            method, request(self.sku), envelope.CODE_FAILED_PRECONDITION,
                            "ACKNOWLEDGE_UNAVAILABLE", "acknowledge")
            weaker = self.reserve(self.reserve_request(acknowledge=reservations.MEMORY))
            self.assertEqual(weaker.outcome, reservations.HELD)
            self.assertEqual(weaker.acknowledged, reservations.MEMORY)
        finally:
            self.programs.store("CONFIG", "SET", "appendfsync", "always")
        wait_until(lambda: self.reserve_status().status == envelope.CODE_OK, "it sells again")

    def test_full(self):
        hold_id = self.reserve().hold_id
        self.programs.store("CONFIG", "SET", "maxmemory", "500000")
        try:
            wait_until(lambda: self.reserve_status().detail.reason == "STORE_FULL", "it is full")
            self.assert_no_new_holds("STORE_FULL")
            self.assertEqual(self.confirm(hold_id).outcome, reservations.CONFIRMED)
        finally:
            self.programs.store("CONFIG", "SET", "maxmemory", "0")
        wait_until(lambda: self.reserve_status().status == envelope.CODE_OK, "there is room again")

    def test_backlog(self):
        with self.programs.another_server("--backlog-bytes", "100") as (_, address):
            self.connection = self.connect(address)
            hold_id = self.reserve().hold_id
            wait_until(lambda: self.reserve_status().detail.reason == "BACKLOG", "it is full")
            self.assert_no_new_holds("BACKLOG")
            self.assertEqual(self.cancel(hold_id).outcome, reservations.CANCELLED)

    def assert_no_new_holds(self, reason):
        response = self.reserve_status()
        self.assert_failed(response, envelope.CODE_RESOURCE_EXHAUSTED, reason)
        self.assertGreaterEqual(response.detail.retry_after_ms, 1_000)
        reply = self.connection.ask(
            "Reservations/BatchReserve",
            reservations.BatchReserveRequest(items=[self.reserve_request()]),
            reservations.BatchReserveReply)
        self.assertEqual(
            (reply.results[0].status, reply.results[0].detail.reason),
            (envelope.CODE_RESOURCE_EXHAUSTED, reason))
        self.assertEqual(self.health().status, health.DEGRADED)
        for method in STORED.keys() - set(PLACES_HOLDS):
            with self.subTest(method=method):
                response = self.connection.call(method, STORED[method](fresh("box")))
                self.assertEqual(response.status, envelope.CODE_OK, response)


class TestStoreIsWrong(StoreTest):
    def test_stock_changed_by_hand(self):
        hold_id = self.reserve().hold_id
        self.programs.store("SET", f"stock:{self.sku}", "5")
        calls = {
            "Reservations/Reserve": self.reserve_request(),
            "Reservations/Confirm": reservations.ConfirmRequest(
                hold_id=hold_id, payment_ref="p"),
            "Reservations/Cancel": reservations.CancelRequest(hold_id=hold_id),
            "Stock/Set": STORED["Stock/Set"](self.sku),
            "Stock/Get": stock.GetStockRequest(sku=self.sku),
        }
        closed = [method for method, request in calls.items() if self.connection.call(
            method, request).detail.reason == "STOCK_MISMATCH"]
        self.assertIn("Reservations/Reserve", closed)
        self.assertIn("Stock/Set", closed)
        reply = self.connection.ask(
            "Stock/Adopt", stock.AdoptStockRequest(sku=self.sku), stock.AdoptStockReply)
        self.assertEqual(reply.outcome, reservations.STOCK_ADOPTED)
        self.assertEqual(self.reserve().outcome, reservations.HELD)

    def test_a_hold_that_cannot_be_read(self):
        request = self.reserve_request()
        hold_id = self.reserve(request).hold_id
        record = "hold:" + hold_id.rpartition("-")[0]
        self.programs.store("RENAME", record, "aside")
        self.programs.store("SET", record, "junk")
        for method, call in {
                "Reservations/Reserve": request,
                "Reservations/Confirm": reservations.ConfirmRequest(
                    hold_id=hold_id, payment_ref="p"),
                "Reservations/Cancel": reservations.CancelRequest(hold_id=hold_id),
                "Reservations/GetHold": reservations.GetHoldRequest(hold_id=hold_id)}.items():
            with self.subTest(method=method):
                self.assert_refused(
                    method, call, envelope.CODE_FAILED_PRECONDITION, "HOLD_UNREADABLE")
        self.assertEqual(self.reserve().outcome, reservations.HELD)
        self.programs.store("RENAME", "aside", record)
        self.assertEqual(self.confirm(hold_id).outcome, reservations.CONFIRMED)

    def test_too_many_units(self):
        self.reserve()
        self.assert_refused(
            "Stock/Set", stock.SetStockRequest(
                sku=self.sku, available=1_000_000_000_000, request_id=fresh("set")),
            envelope.CODE_OUT_OF_RANGE, "TOO_MANY_UNITS", "available")
