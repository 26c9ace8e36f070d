"""What every case of the wire test can do: the calls by their short names, and what must hold."""

import unittest
import uuid

from client import Connection, envelope
from programs import wait_until
from stock.v1 import diagnostics_pb2 as diagnostics
from stock.v1 import health_pb2 as health
from stock.v1 import reservations_pb2 as reservations
from stock.v1 import stock_pb2 as stock


def fresh(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def reserve_request(sku, **fields):
    whole = dict(sku=sku, qty=1, user_id="ada", idempotency_key=fresh("key"))
    return reservations.ReserveRequest(**(whole | fields))


class WireTest(unittest.TestCase):
    address = None
    programs = None  # when the run has started its own

    def setUp(self):
        self.connection = self.connect()
        self.sku = fresh("box")

    def connect(self, address=None, **options):
        """A connection that is closed with the test."""
        made = Connection(address or self.address, **options)
        self.addCleanup(made.socket.close)
        return made

    def own_programs(self):
        """For tests that do something to the server or its store."""
        if self.programs is None:
            self.skipTest("needs a shop of its own")
        return self.programs

    def stop_store(self):
        """Redis stands still until `wake_store`, or until the test has ended."""
        self.own_programs().store("STOP")
        self.addCleanup(self.wake_store)

    def wake_store(self):
        self.programs.store("CONT")
        wait_until(self.programs.sells, "the server sells again")

    def occupy_store(self, timeout_ms=30_000):
        """Sends a reserve to a store that stands still: what follows waits for it.  Returns its id."""
        call_id = self.connection.start(
            "Reservations/Reserve", self.reserve_request(), timeout_ms=timeout_ms)
        wait_until(lambda: self.batch().in_flight == 1, "it is at the store")
        return call_id

    def batch(self):
        """What waits for the store, and what is there, of a server with one shard."""
        state = self.connection.ask(
            "Diagnostics/State", diagnostics.StateRequest(), diagnostics.StateReply)
        return state.shards[0].batch

    # --- calls, by their short names

    def set_stock(self, available, request_id=None):
        request = stock.SetStockRequest(
            sku=self.sku, available=available, request_id=request_id or fresh("set"))
        return self.connection.ask("Stock/Set", request, stock.SetStockReply)

    def get_stock(self):
        request = stock.GetStockRequest(sku=self.sku)
        return self.connection.ask("Stock/Get", request, stock.GetStockReply)

    def reserve_request(self, **fields):
        return reserve_request(**(dict(sku=self.sku) | fields))

    def reserve(self, request=None, **fields):
        return self.connection.ask(
            "Reservations/Reserve", request or self.reserve_request(**fields),
            reservations.ReserveReply)

    def confirm(self, hold_id, payment_ref="pay-1"):
        request = reservations.ConfirmRequest(hold_id=hold_id, payment_ref=payment_ref)
        return self.connection.ask(
            "Reservations/Confirm", request, reservations.ConfirmReply)

    def cancel(self, hold_id):
        request = reservations.CancelRequest(hold_id=hold_id)
        return self.connection.ask("Reservations/Cancel", request, reservations.CancelReply)

    def get_hold(self, **fields):
        request = reservations.GetHoldRequest(**fields)
        return self.connection.ask(
            "Reservations/GetHold", request, reservations.GetHoldReply)

    # --- what must hold

    def assert_figures(self, available, held, sold):
        level = self.get_stock().stock
        self.assertEqual((level.available, level.held, level.sold), (available, held, sold))
        self.assertEqual(level.available + level.held + level.sold, level.supplied)

    def assert_refused(self, method, request, status, reason, field=None):
        response = self.connection.call(method, request)
        self.assert_failed(response, status, reason)
        if field is not None:
            self.assertEqual(response.detail.field, field)

    def assert_failed(self, response, status, reason, outcome_unknown=False):
        self.assertEqual(
            (response.status, response.detail.reason), (status, reason), response)
        self.assertTrue(response.detail.message)
        self.assertEqual(response.detail.outcome_unknown, outcome_unknown, response)
        self.assertEqual(response.message, b"")
        self.assertFalse(response.more)

    def assert_not_done(self, method, response, status, reason):
        """As `assert_failed`; a batch says it of each of its items."""
        if method != "Reservations/BatchReserve" or response.status != envelope.CODE_OK:
            return self.assert_failed(response, status, reason)
        results = reservations.BatchReserveReply.FromString(response.message).results
        self.assertTrue(results)
        for result in results:
            self.assertEqual((result.status, result.detail.reason), (status, reason))
            self.assertFalse(result.detail.outcome_unknown)

    def assert_still_serves(self):
        """Another client is unharmed."""
        with Connection(self.address) as other:
            other.ask("Health/Check", health.HealthCheckRequest(), health.HealthCheckReply)
