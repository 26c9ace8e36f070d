"""Calls with many answers, and headers."""

import asyncio
import threading
import time

import proxy
import stream_faults
from running import ONCE, ClientTest, shop
from running import open_shop as setUpModule  # noqa: F401
from shop import free_port
from stockstream import (
    Code, HoldStatus, InvalidRequest, Options, Outcome, StockClient, StockError, Unavailable)

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CREDIT = "stock.v1.Connection/Credit"


def until_available(updates, units):
    """The update with so many units: those in between may be left out."""
    return next(update for update in updates if update.stock.available == units)


class TestStreams(ClientTest):
    def test_watch(self):
        with StockClient(shop.tcp) as client:
            with client.watch(self.sku) as updates:
                first = next(updates)
                self.assertEqual((first.outcome, first.stock.sku), (Outcome.UNKNOWN_SKU, self.sku))
                client.set_stock(self.sku, 3, request_id=self.sku)
                self.assertEqual(until_available(updates, 3).outcome, Outcome.FOUND)
                self.reserve(client)
                last = until_available(updates, 2)
                self.assertEqual((last.stock.held, last.closed, last.token), (1, False, updates.token))
            self.assertEqual(list(updates), [])
            client.close()  # a stream has a connection of its own
            with client.watch(self.sku, after=last.token) as updates, StockClient(shop.unix) as seller:
                threading.Timer(0.3, self.reserve, (seller, "k2")).start()
                self.assertEqual(next(updates).stock.available, 1)

    def test_follow(self):
        with StockClient(shop.unix) as client:
            traced = client.with_metadata({"traceparent": TRACE})
            traced.set_stock(self.sku, 5, request_id=self.sku)
            first = traced.reserve(self.sku, user_id=self.user, key="a")
            second = self.reserve(client, "b")
            client.adjust_stock(self.sku, 2, request_id=self.sku + "-more", reason="why", actor="ada")
            client.confirm(first.hold_id, "pay-1")
            client.cancel(second.hold_id)
            with client.follow(from_earliest=True, skus=[self.sku]) as items:
                self.assertIsNone(next(items).event)
                events = [next(items).event for _ in range(6)]
            self.assertEqual(
                [(one.type, one.traceparent) for one in events],
                [("STOCK_SET", TRACE), ("HOLD_CREATED", TRACE), ("HOLD_CREATED", ""),
                 ("STOCK_ADJUSTED", ""), ("HOLD_CONFIRMED", TRACE), ("HOLD_CANCELLED", "")])
            supplied, created, _, adjusted, confirmed, cancelled = events
            self.assertEqual((adjusted.delta, adjusted.reason, adjusted.actor), (2, "why", "ada"))
            self.assertEqual((supplied.stock.available, supplied.delta, supplied.request_id, supplied.hold),
                             (5, 5, self.sku, None))
            self.assertEqual((created.event_id, created.hold.hold_id, created.hold.key, created.stock),
                             (first.hold_id + "/1", first.hold_id, "a", None))
            self.assertAlmostEqual(created.time.timestamp(), time.time(), delta=60)
            self.assertEqual((confirmed.hold.status, confirmed.hold.payment_ref, confirmed.hold.version),
                             (HoldStatus.CONFIRMED, "pay-1", 2))
            self.assertEqual(cancelled.hold.hold_id, second.hold_id)
            with client.follow(after=items.token, event_types=["HOLD_CREATED"], skus=[self.sku]) as items:
                third = self.reserve(client, "c")
                client.cancel(third.hold_id)
                self.reserve(client, "d")
                self.assertIsNone(next(items).event)
                self.assertEqual([next(items).event.hold.key for _ in range(2)], ["c", "d"])

    def follows_all(self, client, count):
        """Every hold is seen once, in order, while they are sold."""
        self.supply(10_000)
        with StockClient(shop.unix) as seller, client.follow(
                from_earliest=True, event_types=["HOLD_CREATED"], skus=[self.sku]) as items:
            def sell():
                for number in range(count):
                    self.reserve(seller, str(number), timeout_s=20)

            selling = threading.Thread(target=sell)
            selling.start()
            keys = []
            for item in items:
                keys += [int(item.event.hold.key)] if item.event else []
                if len(set(keys)) == count:
                    break
            selling.join()
        self.assertEqual(keys, list(range(count)))

    def test_the_window(self):
        for window, grants in ((1, 200), (1_000, 50), (65_536, 0)):
            self.setUp()
            fault = proxy.Fault()
            self.follows_all(self.through(fault, Options(window_bytes=window)), 200)
            self.assertGreaterEqual(fault.methods[CREDIT], grants)
            self.assertEqual(fault.connections, 1)

    def test_lost_connections(self):
        for fault in (stream_faults.CutStream(20, times=5), stream_faults.LeavingStream(20, times=5)):
            self.setUp()
            self.follows_all(self.through(fault, Options(window_bytes=1_000)), 200)
            self.assertEqual(fault.connections, 6)

    def test_a_server_that_restarts(self):
        def restart():
            for _ in range(2):
                time.sleep(0.3)
                shop.kill_stockd()
                shop.start_stockd()

        restarting = threading.Thread(target=restart)
        restarting.start()
        with StockClient(shop.tcp) as client:
            self.supply(10)
            with client.watch(self.sku) as updates:
                for units in range(9, 0, -1):
                    with StockClient(shop.unix) as seller:
                        self.reserve(seller, str(units), timeout_s=20)
                    until_available(updates, units)
                    time.sleep(0.1)
        restarting.join()

    def test_a_silent_server_is_left(self):
        fault = proxy.Silent(1)
        self.supply(3)
        with self.through(fault, Options(keepalive_s=0.1)).watch(self.sku) as updates:
            self.assertEqual(next(updates).stock.available, 3)
        self.assertEqual((fault.connections, fault.methods["stock.v1.Connection/Ping"]), (2, 1))

    def ends(self, stream, kind, reason):
        with self.assertRaises(kind) as caught:
            for _ in stream:
                pass
        self.assertEqual(caught.exception.reason, reason)
        self.assertEqual(list(stream), [])
        return caught.exception

    def test_a_stream_that_the_server_ends(self):
        full = dict(reason="OVERLOADED", retryable=True)
        self.follows_all(self.through(stream_faults.EndedStream(3, **full)), 20)
        once = self.through(stream_faults.EndedStream(1, **full), ONCE)
        self.ends(once.follow(), StockError, "OVERLOADED")
        old = self.through(stream_faults.EndedStream(1, reason="TOKEN_TOO_OLD"))
        self.assertEqual(self.ends(old.follow(), StockError, "TOKEN_TOO_OLD").code, Code.OUT_OF_RANGE)
        self.assertEqual(list(self.through(stream_faults.EndedStream(1)).follow()), [])
        cut = self.through(stream_faults.CutStream(1, times=1), ONCE)
        self.ends(cut.follow(from_earliest=True), Unavailable, "CONNECTION_LOST")
        nobody = StockClient(f"127.0.0.1:{free_port()}", options=Options(waits_for_server=False))
        self.ends(nobody.follow(), Unavailable, "UNREACHABLE")

    def test_refusals(self):
        with StockClient(shop.tcp) as client:
            self.assertEqual(self.ends(client.watch(), InvalidRequest, "INVALID_FIELD").field, "skus")
            self.ends(client.watch(self.sku, after="no token"), InvalidRequest, "INVALID_FIELD")
            self.ends(client.follow(after="999999999999999-0.0.9"), StockError, "TOKEN_UNKNOWN")
            self.ends(client.watch("x" * (3 << 20)), InvalidRequest, "TOO_LARGE")

    def test_items_that_are_none(self):
        client = self.through(stream_faults.WrongItems())
        self.ends(client.follow(from_earliest=True), StockError, "MALFORMED_REPLY")

    def test_closed_by_another_thread(self):
        for address in (shop.tcp, f"127.0.0.1:{free_port()}"):
            stream = StockClient(address).follow()
            threading.Timer(0.3, stream.close).start()
            began = time.monotonic()
            self.assertLessEqual(len(list(stream)), 1)
            self.assertLess(time.monotonic() - began, 5)
            stream.close()

    def test_asyncio(self):
        async def sale():
            with StockClient(shop.tcp) as client:
                return await sell(client)

        async def sell(client):
            async with client.watch(self.sku) as updates:
                async for update in updates:
                    if update.stock.available == 2:
                        return await asyncio.to_thread(self.reserve, client, "last", qty=2)
                    if update.outcome is Outcome.UNKNOWN_SKU:
                        await asyncio.to_thread(self.supply, 3)
                    else:
                        await asyncio.to_thread(self.reserve, client)

        async def cancelled():
            async with StockClient(shop.tcp).watch(self.sku) as updates:
                await updates.__anext__()
                await asyncio.wait_for(updates.__anext__(), 0.2)

        self.assertEqual(asyncio.run(sale()).outcome, Outcome.HELD)
        began = time.monotonic()
        with self.assertRaises(asyncio.TimeoutError):
            asyncio.run(cancelled())
        self.assertLess(time.monotonic() - began, 5)


class TestMetadata(ClientTest):
    def test_repeats_carry_it(self):
        self.supply()
        fault = proxy.Headers()
        client = self.through(fault)
        headers = {"traceparent": TRACE, "x-request-id": "r"}
        self.reserve(client.with_metadata(headers))
        self.reserve(client, "plain")
        self.assertEqual(fault.seen, [list(headers.items())] * 2 + [[]])
        self.assertEqual(fault.connections, 2)  # the one that was lost, and one for both

    def test_too_many(self):
        with StockClient(shop.tcp) as client:
            client.with_metadata({str(one): "v" for one in range(32)}).get_stock(self.sku)
            with self.assertRaises(InvalidRequest) as caught:
                client.with_metadata({str(one): "v" for one in range(33)}).get_stock(self.sku)
            self.assertEqual(caught.exception.field, "metadata")
