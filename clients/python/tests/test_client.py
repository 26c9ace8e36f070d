#!/usr/bin/python3
"""The Python client against a real server, and with faults in between.

    /usr/bin/python3 clients/python/tests/test_client.py

STOCKD says which stockd, with its stockworker beside it; else the one of `swift build` is taken.
"""

import datetime
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import unittest.mock
import uuid

from running import ONCE, PACKAGE, ClientTest, shop
from running import open_shop as setUpModule  # noqa: F401
from order_tests import TestChanges, TestList, TestOrders  # noqa: F401
from records_tests import TestRecords  # noqa: F401
from stream_tests import TestMetadata, TestStreams  # noqa: F401

import late_faults
import proxy
from proxy import Proxy, envelope
from shop import free_port
from stockstream import (
    Acknowledge, Code, Conflict, DeadlineExceeded, HoldStatus, InvalidRequest, Options, Outcome, Overloaded,
    Reservation, Reserved, RetryPolicy, Serving, StockClient, StockError, Unavailable)
from stockstream.retry import RetryBudget, dial_pause_s


class TestCalls(ClientTest):
    def sale(self, address):
        with StockClient(address) as client:
            health = client.health()
            self.assertIn(health.serving, (Serving.SERVING, Serving.DEGRADED))
            self.assertEqual(health.serving is Serving.DEGRADED, len(health.warnings) > 0)
            client.ping()
            self.assertEqual(client.get_stock(self.sku).outcome, Outcome.UNKNOWN_SKU)
            self.assertIsNone(client.get_stock(self.sku).stock)
            supplied = client.set_stock(self.sku, 3, request_id=self.sku)
            self.assertEqual((supplied.outcome, supplied.stock.available), (Outcome.STOCK_SET, 3))
            first = self.reserve(client, qty=2, ttl_ms=60_000)
            self.assertEqual((first.outcome, first.available, first.status),
                             (Outcome.HELD, 1, HoldStatus.ACTIVE))
            self.assertAlmostEqual(first.expires_at.timestamp(), time.time() + 60, delta=10)
            again = self.reserve(client, qty=2, ttl_ms=60_000)
            self.assertEqual((again.outcome, again.hold_id), (Outcome.REPEATED, first.hold_id))
            refused = self.reserve(client, "k2", qty=2)
            self.assertEqual((refused.outcome, refused.is_held, refused.expires_at),
                             (Outcome.SOLD_OUT, False, None))
            confirmed = client.confirm(first.hold_id, "pay-1")
            self.assertEqual((confirmed.outcome, confirmed.hold.payment_ref), (Outcome.CONFIRMED, "pay-1"))
            uuid.UUID(confirmed.hold.order_id)
            self.assertEqual(client.cancel(first.hold_id).outcome, Outcome.ALREADY_CONFIRMED)
            second = self.reserve(client, "k3")
            found = client.find_hold(user_id=self.user, key="k3")
            self.assertEqual((found.outcome, found.hold.hold_id), (Outcome.FOUND, second.hold_id))
            later = second.expires_at + datetime.timedelta(minutes=1)
            extended = client.extend(second.hold_id, later)
            self.assertEqual((extended.outcome, extended.hold.expires_at), (Outcome.EXTENDED, later))
            self.assertEqual(client.extend(second.hold_id, later).outcome, Outcome.REPEATED)
            self.assertEqual(client.cancel(second.hold_id).outcome, Outcome.CANCELLED)
            self.assertEqual(client.get_hold(second.hold_id).hold.status, HoldStatus.CANCELLED)
            self.assertIsNone(client.find_hold(user_id=self.user, key="never").hold)
            more = dict(request_id=self.sku + "-more", reason="a delivery", actor="ada")
            adjusted = client.adjust_stock(self.sku, 4, **more)
            self.assertEqual((adjusted.outcome, adjusted.stock.available), (Outcome.STOCK_ADJUSTED, 5))
            self.assertEqual(client.adjust_stock(self.sku, 4, **more).outcome, Outcome.REPEATED)
            less = client.adjust_stock(self.sku, -6, request_id=self.sku + "-less")
            self.assertEqual((less.outcome, less.stock.retired), (Outcome.TOO_FEW_AVAILABLE, False))
        self.assert_figures(5, 0, 2)

    def test_a_sale_over_tcp(self):
        self.sale(shop.tcp)

    def test_a_sale_over_a_unix_socket(self):
        self.sale(shop.unix)

    def test_acknowledgement(self):
        self.supply()
        with StockClient(shop.tcp) as client:
            self.assertEqual(self.reserve(client).acknowledged, Acknowledge.DEFAULT)
            fsync = dict(acknowledge=Acknowledge.FSYNC)
            first, second = self.reserve(client, "a", **fsync), self.reserve(client, "b", **fsync)
            batch = client.reserve_batch([Reservation(self.sku, self.user, "c")], **fsync)
            confirmed = client.confirm(first.hold_id, "pay", **fsync)
            cancelled = client.cancel(second.hold_id, **fsync)
            self.assertEqual({one.acknowledged for one in (first, second, *batch, confirmed, cancelled)},
                             {Acknowledge.FSYNC})
            self.fails(StockError, "ACKNOWLEDGE_UNAVAILABLE", False, 1,
                       lambda: self.reserve(client, "d", acknowledge=Acknowledge.REPLICA))

    def test_refusals(self):
        self.supply()
        with StockClient(shop.tcp) as client:
            error = self.fails(InvalidRequest, "INVALID_FIELD", False, 1, lambda: self.reserve(client, qty=0))
            self.assertEqual((error.code, error.field), (Code.INVALID_ARGUMENT, "qty"))
            self.reserve(client)
            self.fails(Conflict, "IDEMPOTENCY_KEY_REUSED", False, 1, lambda: self.reserve(client, qty=2))
            with self.assertRaises(StockError) as caught:
                client.health("no.such.Service")
            self.assertEqual(caught.exception.code, Code.NOT_FOUND)
            self.fails(InvalidRequest, "TOO_LARGE", False, 0, lambda: client.get_stock("x" * (3 << 20)))
            client.ping()
        self.fails(StockError, "CLIENT_CLOSED", False, 0, client.ping)

    def test_batch(self):
        self.supply(2)
        items = [Reservation(self.sku, self.user, f"k{n}") for n in range(4)]
        items[1] = Reservation(self.sku, self.user, "k1", qty=0)
        with StockClient(shop.unix) as client:
            results = client.reserve_batch(items)
            self.assertEqual([one.outcome if isinstance(one, Reserved) else one.field for one in results],
                             [Outcome.HELD, "items[1].qty", Outcome.HELD, Outcome.SOLD_OUT])
            with self.assertRaises(InvalidRequest):
                client.reserve_batch([])

    def test_threads_take_turns(self):
        self.supply()
        held = []
        with StockClient(shop.unix) as client:
            def sell(name):
                held.extend(self.reserve(client, f"{name}-{n}").outcome for n in range(25))

            threads = [threading.Thread(target=sell, args=(name,)) for name in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(held, [Outcome.HELD] * 100)
        self.assert_figures(900, 100, 0)

    def test_addresses(self):
        for wrong in ("", "host", ":80", "h:0", "h:65536", "h:x", "::1:80", "unix:"):
            with self.subTest(wrong), self.assertRaises(ValueError):
                StockClient(wrong)
        with self.assertRaises(ValueError):
            StockClient()

    def test_policy_and_budget(self):
        policy, error = RetryPolicy(attempts_max=3), Overloaded(
            Code.RESOURCE_EXHAUSTED, "OVERLOADED", "No.", retryable=True, retry_after_ms=100)
        for _ in range(100):
            self.assertTrue(0.1 <= policy.pause_s(error, 1, 10) <= 0.12)
            self.assertTrue(0.1 <= policy.pause_s(error, 2, 10) <= 0.14)
            self.assertTrue(0.5 <= dial_pause_s(50) <= 1)
        self.assertIsNone(policy.pause_s(error, 3, 10))
        self.assertIsNone(policy.pause_s(error, 1, 0.1))
        error.retryable = False
        self.assertIsNone(policy.pause_s(error, 1, 10))
        budget = RetryBudget()
        self.assertEqual(sum(budget.spend() for _ in range(2000)), RetryBudget.TOKENS_MAX)
        for _ in range(10):
            budget.earn()
        self.assertTrue(budget.spend())
        self.assertFalse(budget.spend())


class TestReadme(ClientTest):
    def test_the_example(self):
        with open(os.path.join(PACKAGE, "README.md"), encoding="utf-8") as page:
            programs = re.findall(r"^```python\n(.*?)^```$", page.read(), re.DOTALL | re.MULTILINE)
        for place, program in enumerate(programs):
            for theirs, ours in (("127.0.0.1:7420", shop.unix), ("iphone_15_pro_256", self.sku)):
                self.assertIn(theirs, program)
                program = program.replace(theirs, ours)
            programs[place] = program
        first, orders, watch, buy = programs
        for program, outcome in ((first, "HELD"), (first, "REPEATED"), (buy, "HELD")):
            said = self.begin(program)
            self.assertTrue(said.stdout.readline().startswith(f"Reserved(outcome=<Outcome.{outcome}"))
            self.assertEqual(said.wait(20), 0)
        self.assertEqual(self.begin(watch).stdout.readline(), "1\n")
        said = self.begin(orders).stdout.read().splitlines()
        self.assertEqual(said[0], "AVAILABLE_DIFFERS")
        self.assertIn(self.sku + " 1", said[1:])

    def begin(self, program):
        begun = subprocess.Popen(
            ["/usr/bin/python3", "-c", program], text=True, stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.path.join(PACKAGE, "src")})
        for clean in (begun.stdout.close, begun.wait, begun.kill):
            self.addCleanup(clean)
        return begun


class TestFaults(ClientTest):
    def setUp(self):
        super().setUp()
        self.supply()

    def test_torn_and_delayed_replies(self):
        for fault in (proxy.Torn(), proxy.Delayed()):
            self.assertEqual(self.reserve(self.through(fault), str(fault)).outcome, Outcome.HELD)

    def test_a_lost_reply_is_found_out(self):
        client = self.through(proxy.CutReply(2))
        self.assertEqual(self.reserve(client).outcome, Outcome.REPEATED)
        self.assert_figures(999, 1, 0)

    def test_a_lost_request_is_made_again(self):
        client = self.through(proxy.CutRequest(2))
        self.assertEqual(self.reserve(client).outcome, Outcome.HELD)

    def test_a_server_that_dies_between_send_and_reply(self):
        def crash():
            shop.kill_stockd()
            shop.start_stockd()

        client = self.through(proxy.CutReply(1, crash))
        self.assertEqual(self.reserve(client, timeout_s=20).outcome, Outcome.REPEATED)
        self.assert_figures(999, 1, 0)

    def test_a_server_that_restarts_while_the_client_is_idle(self):
        with StockClient(shop.tcp, options=ONCE) as client:
            self.reserve(client, "before")
            self.assertEqual(shop.end_stockd(), 0)
            shop.start_stockd()
            self.assertEqual(self.reserve(client, "after").outcome, Outcome.HELD)

    def test_overload_is_repeated_after_the_pause_asked_for(self):
        fault = proxy.Refused(2, envelope.CODE_RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_ms=150)
        self.assertEqual(self.reserve(self.through(fault)).outcome, Outcome.HELD)
        pauses = [later - earlier for earlier, later in zip(fault.at, fault.at[1:])]
        self.assertEqual(len(pauses), 2)
        self.assertGreaterEqual(min(pauses), 0.149)

    def test_repeats_end(self):
        def refused():
            return proxy.Refused(100, envelope.CODE_RESOURCE_EXHAUSTED, "OVERLOADED")

        client = self.through(refused())
        self.fails(Overloaded, "OVERLOADED", False, 8, lambda: self.reserve(client, timeout_s=30))
        client = self.through(refused(), ONCE)
        self.fails(Overloaded, "OVERLOADED", False, 1, lambda: self.reserve(client))
        client = self.through(proxy.CutReply(100), ONCE)
        self.fails(Unavailable, "CONNECTION_LOST", True, 1, lambda: self.reserve(client))
        client = self.through(refused())
        while client._budget.spend():
            pass
        self.fails(Overloaded, "OVERLOADED", False, 1, lambda: self.reserve(client))

    def test_silence(self):
        client = self.through(proxy.Silent(100))
        began = time.monotonic()
        self.fails(DeadlineExceeded, "NO_ANSWER", True, 1, lambda: self.reserve(client, timeout_s=0.3))
        self.assertLess(time.monotonic() - began, 1.5)
        fault = proxy.Silent(1)
        client = self.through(fault, Options(keepalive_s=0.1))
        self.assertEqual(self.reserve(client).outcome, Outcome.HELD)
        self.assertEqual((fault.connections, fault.methods["stock.v1.Connection/Ping"]), (2, 1))

    def test_nobody_listens(self):
        nobody = f"127.0.0.1:{free_port()}"
        for address in (nobody, "unix:/nonexistent/stockd.sock"):
            with StockClient(address) as client:
                self.fails(Unavailable, "UNREACHABLE", False, 0, lambda: client.ping(timeout_s=0.2))
        with StockClient(nobody, options=Options(waits_for_server=False)) as client:
            began = time.monotonic()
            self.fails(Unavailable, "UNREACHABLE", False, 0, lambda: client.ping(timeout_s=20))
            self.assertLess(time.monotonic() - began, 5)

    def test_a_name_server_that_does_not_answer(self):
        answered = threading.Event()
        self.addCleanup(answered.set)
        with unittest.mock.patch("socket.getaddrinfo", lambda *_, **__: answered.wait(30)):
            with StockClient("shop.invalid:7420") as client:
                began = time.monotonic()
                self.fails(Unavailable, "UNREACHABLE", False, 0, lambda: client.ping(timeout_s=0.5))
                self.assertLess(time.monotonic() - began, 10)

    def test_a_call_says_until_when_it_is_waited_for(self):
        self.supply()
        fault = late_faults.Calls().about("Reservations/Reserve", "Stock/Watch")
        client = self.through(fault, Options(sends_deadline_at=True))
        self.assertEqual(self.reserve(client, timeout_s=20).outcome, Outcome.REPEATED)
        first, again = fault.seen
        for at, call in (first, again):
            self.assertAlmostEqual(call.deadline_at, at + call.timeout_ms, delta=5_000)
        self.assertAlmostEqual(first[1].deadline_at, again[1].deadline_at, delta=1_000)
        with client.watch(self.sku) as updates:
            next(updates)
        self.reserve(self.through(fault), "plain")
        self.assertEqual([call.deadline_at for _, call in fault.seen[2:]], [0] * (len(fault.seen) - 2))
        self.assertGreaterEqual(len(fault.seen), 4)

    def test_a_frame_that_comes_after_its_deadline_does_nothing(self):
        self.supply()
        for sends, code, held in ((True, envelope.CODE_DEADLINE_EXCEEDED, 0), (False, envelope.CODE_OK, 1)):
            fault = late_faults.Late()
            client = self.through(fault, Options(retry=ONCE.retry, sends_deadline_at=sends))
            self.fails(DeadlineExceeded, "NO_ANSWER", True, 1,
                       lambda: self.reserve(client, timeout_s=0.1))
            (answer,) = fault.deliver()
            self.assertEqual((answer.status, answer.detail.outcome_unknown), (code, False))
            self.assert_figures(1000 - held, held, 0)

    def test_a_connection_that_is_not_taken(self):
        client = self.through(proxy.TurnedAway(100), Options(waits_for_server=False))
        error = self.fails(Unavailable, "UNREACHABLE", False, 0, lambda: self.reserve(client, timeout_s=0.5))
        self.assertIn("connections-per-peer-max: 7", str(error))
        fault = proxy.TurnedAway(2)
        self.assertEqual(self.reserve(self.through(fault)).outcome, Outcome.HELD)
        self.assertEqual(fault.connections, 3)

    def test_another_server_of_the_shop(self):
        fault = proxy.Refused(1, envelope.CODE_UNAVAILABLE, "STORE_REFUSED")
        with Proxy(fault, shop.port) as between, StockClient(
                f"127.0.0.1:{free_port()}", between.address, shop.unix) as client:
            for n in range(5):
                self.assertEqual(self.reserve(client, str(n)).outcome, Outcome.HELD)
        self.assertEqual(fault.methods[proxy.RESERVE], 1)

    def test_a_connection_that_goes_is_left(self):
        class Leaving(proxy.Fault):
            def response(self, link, response, method):
                notice = [proxy.going_away()] if method == proxy.RESERVE and link.number == 1 else []
                return notice + [proxy.frame(response)]

        fault = Leaving()
        client = self.through(fault, ONCE)
        for n in range(3):
            self.assertEqual(self.reserve(client, str(n)).outcome, Outcome.HELD)
        self.assertEqual(fault.connections, 2)

    def test_versions_of_the_protocol(self):
        client = self.through(proxy.Hello(envelope.CODE_UNIMPLEMENTED, "UNKNOWN_METHOD"))
        self.assertEqual(self.reserve(client).outcome, Outcome.HELD)
        client = self.through(proxy.Hello(envelope.CODE_FAILED_PRECONDITION, "PROTOCOL_UNSUPPORTED"))
        with self.assertRaises(StockError) as caught:
            for n in range(2):
                self.reserve(client, f"v{n}")
        self.assertEqual(caught.exception.reason, "PROTOCOL_UNSUPPORTED")
        self.assertEqual(self.reserve(self.through(proxy.Newer()), "new").outcome, Outcome.UNRECOGNIZED)

    def test_bytes_that_are_no_reply(self):
        for data in (b"\xff\xff\xff\xff", b"\0\0\0\2\x0a\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n"):
            client = self.through(proxy.Garbage(data), ONCE)
            self.fails(Unavailable, "CONNECTION_LOST", True, 1, lambda: self.reserve(client))
        client = self.through(proxy.Wrong(), ONCE)
        self.fails(StockError, "MALFORMED_REPLY", True, 1, lambda: self.reserve(client))


class TestInstalled(unittest.TestCase):
    """As pip installs it from the folder, with what Debian has."""

    def test_from_the_folder(self):
        with tempfile.TemporaryDirectory(prefix="stockstream-python-") as folder:
            source, site = os.path.join(folder, "python"), os.path.join(folder, "site")
            shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("build", "*.egg-info"))
            subprocess.run(
                ["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
                 "--no-build-isolation", "--target", site, source],
                check=True, env=os.environ | {"PIP_ROOT_USER_ACTION": "ignore"})
            self.assertTrue(os.path.exists(os.path.join(site, "stockstream", "py.typed")))
            self.assertTrue(os.path.exists(os.path.join(site, "stockstream", "_contracts", "stock_pb2.pyi")))
            said = subprocess.run(
                ["/usr/bin/python3", "-c", "import stockstream, sys\n"
                 "with stockstream.StockClient(sys.argv[1]) as shop: print(shop.health().serving >= 1)",
                 shop.unix], cwd=folder, env=os.environ | {"PYTHONPATH": site}, check=True, text=True,
                stdout=subprocess.PIPE).stdout
            self.assertEqual(said, "True\n")


if __name__ == "__main__":
    unittest.main(verbosity=1)
