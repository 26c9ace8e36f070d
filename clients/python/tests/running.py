"""The client under test, and a real server for it."""

import atexit
import os
import sys
import unittest
import uuid

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(PACKAGE, "src"), os.path.join(PACKAGE, "..", "test")]
from proxy import Proxy  # noqa: E402
from shop import Shop  # noqa: E402
from stockstream import Options, RetryPolicy, StockClient  # noqa: E402

ONCE = Options(retry=RetryPolicy(attempts_max=1))
shop = Shop()


def open_shop():
    """As setUpModule of each module with tests: the first opens it, and it closes with the process."""
    if shop.redis is None:
        atexit.register(shop.close)
        shop.open()


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.sku = "p-" + uuid.uuid4().hex[:12]
        self.user = self.sku

    def supply(self, units=1000):
        shop.supply(self.sku, units)

    def reserve(self, client, key="k", **more):
        return client.reserve(self.sku, user_id=self.user, key=key, **more)

    def assert_figures(self, available, held, sold):
        self.assertEqual(shop.figures(self.sku), (available, held, sold))

    def fails(self, kind, reason, unknown, attempts, call):
        with self.assertRaises(kind) as caught:
            call()
        error = caught.exception
        self.assertEqual((error.reason, error.outcome_unknown, error.attempts), (reason, unknown, attempts))
        return error

    def through(self, fault, options=Options(), port=None, kind=StockClient):
        """A client with a fault between it and the server, or who else answers at the port."""
        between = Proxy(fault, port or shop.port)
        client = kind(between.address, options=options)
        self.addCleanup(between.__exit__)
        self.addCleanup(client.close)
        return client
