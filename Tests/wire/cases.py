"""What every case of the wire test can do: the calls by their short names, and what must hold."""

import unittest
import uuid

from client import Connection, envelope
from stock.v1 import health_pb2 as health
from stock.v1 import reservations_pb2 as reservations
from stock.v1 import stock_pb2 as stock


def fresh(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


class WireTest(unittest.TestCase):
    address = None

    def setUp(self):
        self.connection = Connection(self.address)
        self.addCleanup(self.connection.socket.close)
        self.sku = fresh("box")

    # --- calls, by their short names

    def set_stock(self, available, request_id=None):
        request = stock.SetStockRequest(
            sku=self.sku, available=available, request_id=request_id or fresh("set"))
        return self.connection.ask("Stock/Set", request, stock.SetStockReply)

    def get_stock(self):
        request = stock.GetStockRequest(sku=self.sku)
        return self.connection.ask("Stock/Get", request, stock.GetStockReply)

    def reserve_request(self, **fields):
        whole = dict(sku=self.sku, qty=1, user_id="ada", idempotency_key=fresh("key"))
        return reservations.ReserveRequest(**(whole | fields))

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
        self.assertEqual(
            (response.status, response.detail.reason), (status, reason), response)
        self.assertTrue(response.detail.message)
        self.assertEqual(response.message, b"")
        if field is not None:
            self.assertEqual(response.detail.field, field)

    def assert_still_serves(self):
        """Another client is unharmed."""
        with Connection(self.address) as other:
            other.ask("Health/Check", health.HealthCheckRequest(), health.HealthCheckReply)
