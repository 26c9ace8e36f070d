"""What a person does with stock and holds, and changes with faults in between."""

import asyncio
import datetime
import subprocess

import proxy
from running import ONCE, ClientTest, shop
from running import open_shop as setUpModule  # noqa: F401
from stockstream import (
    Acknowledge, HoldStatus, InvalidRequest, Outcome, StockClient, StockError, Unavailable)

CHANGES = ("Reservations/Confirm", "Reservations/Cancel", "Reservations/Release", "Reservations/Extend",
           "Stock/Adjust", "Stock/Set", "Stock/Retire")


class TestOrders(ClientTest):
    def events(self, client):
        """Who has done what, and why."""
        with client.follow(from_earliest=True, skus=[self.sku]) as items:
            for item in items:
                if item.event is not None:
                    yield item.event.type, item.event.actor, item.event.reason

    def test_compare_and_set(self):
        with StockClient(shop.tcp) as client:
            refused = client.set_stock(self.sku, 3, request_id=self.sku, if_available=1)
            self.assertEqual((refused.outcome, refused.stock.available), (Outcome.AVAILABLE_DIFFERS, 0))
            who = dict(reason="delivery 17", actor="ada")
            done = client.set_stock(self.sku, 3, request_id=self.sku, if_available=0, **who)
            self.assertEqual((done.outcome, done.stock.available), (Outcome.STOCK_SET, 3))
            self.reserve(client)
            repeated = client.set_stock(self.sku, 3, request_id=self.sku, if_available=0, **who)
            self.assertEqual((repeated.outcome, repeated.stock.available), (Outcome.REPEATED, 2))
            self.assertEqual(next(self.events(client)), ("STOCK_SET", "ada", "delivery 17"))
            error = self.fails(InvalidRequest, "INVALID_FIELD", False, 1, lambda: client.set_stock(
                self.sku, 3, request_id="r", if_available=2**63))
            self.assertEqual(error.field, "if_available")

    def test_retire(self):
        with StockClient(shop.unix) as client:
            def retire(**who):
                return client.retire_stock(self.sku, request_id=self.sku + "-retire", **who)

            self.assertEqual((retire().outcome, retire().stock), (Outcome.UNKNOWN_SKU, None))
            self.supply(5)
            done = retire(reason="end of line", actor="bob")
            self.assertEqual((done.outcome, done.stock.retired, done.stock.available),
                             (Outcome.STOCK_RETIRED, True, 5))
            self.assertEqual(retire().outcome, Outcome.REPEATED)
            self.assertEqual(self.reserve(client).outcome, Outcome.NOT_FOR_SALE)
            events = self.events(client)
            self.assertEqual([next(events)[0], next(events)],
                             ["STOCK_SET", ("STOCK_RETIRED", "bob", "end of line")])
            self.assertFalse(client.set_stock(self.sku, 1, request_id=self.sku).stock.retired)
            self.assertEqual(self.reserve(client).outcome, Outcome.HELD)

    def test_adopt(self):
        self.supply(5)
        with StockClient(shop.unix) as client:
            self.assertEqual(client.adopt_stock(self.sku).outcome, Outcome.REPEATED)
            self.by_hand("77")
            self.fails(StockError, "STOCK_MISMATCH", False, 1, lambda: self.reserve(client))
            done = client.adopt_stock(self.sku)
            self.assertEqual((done.outcome, done.stock.available, done.stock.supplied),
                             (Outcome.STOCK_ADOPTED, 77, 77))
            self.assertEqual(self.reserve(client).outcome, Outcome.HELD)
            self.assertEqual(client.adopt_stock(self.sku + "-nobody").outcome, Outcome.UNKNOWN_SKU)

    def by_hand(self, figure):
        subprocess.run(["redis-cli", "-s", shop.redis_socket, "SET", "stock:" + self.sku, figure],
                       check=True, stdout=subprocess.DEVNULL)

    def test_release(self):
        self.supply(5)
        with StockClient(shop.unix) as client:
            who = dict(reason="the buyer has called", actor="eve")
            hold_id = self.reserve(client).hold_id
            done = client.release(hold_id, acknowledge=Acknowledge.FSYNC, **who)
            self.assertEqual((done.outcome, done.hold.hold_id, done.hold.status, done.acknowledged),
                             (Outcome.CANCELLED, hold_id, HoldStatus.CANCELLED, Acknowledge.FSYNC))
            self.assertEqual(client.release(hold_id, **who).outcome, Outcome.REPEATED)
            events = self.events(client)
            self.assertEqual([next(events)[0], next(events)[0], next(events)],
                             ["STOCK_SET", "HOLD_CREATED", ("HOLD_CANCELLED", "eve", who["reason"])])
            for field in who:
                error = self.fails(InvalidRequest, "INVALID_FIELD", False, 1,
                                   lambda field=field: client.release(hold_id, **(who | {field: ""})))
                self.assertEqual(error.field, field)


class TestList(ClientTest):
    COUNT = 23

    def setUp(self):
        super().setUp()
        self.prefix = self.sku + "."
        self.skus = [f"{self.prefix}{number:02}" for number in range(self.COUNT)]
        for number, sku in enumerate(self.skus):
            shop.supply(sku, number)

    def of_mine(self, listings):
        return [one.stock.sku for one in listings if one.stock.sku.startswith(self.prefix)]

    def test_each_comes_once(self):
        shop.retire(self.skus[0])
        subprocess.run(["redis-cli", "-s", shop.redis_socket, "SET", "stock:" + self.skus[1], "77"],
                       check=True, stdout=subprocess.DEVNULL)
        with StockClient(shop.tcp) as client:
            for page_size in (0, 1, 7, 200):
                self.assertEqual(self.of_mine(client.list_stock(page_size=page_size)), self.skus)
            listed = client.list_stock(after=self.prefix)
            self.assertEqual([(one.stock.retired, one.closed, one.stock.supplied)
                              for one in (next(listed), next(listed), next(listed))],
                             [(True, False, 0), (False, True, 1), (False, False, 2)])
            refused = client.list_stock(page_size=201)
            self.assertEqual(self.fails(InvalidRequest, "INVALID_FIELD", False, 1, refused.page).field,
                             "limit")

    def test_pages(self):
        with StockClient(shop.tcp) as client:
            pages = client.list_stock(after=self.prefix, page_size=10)
            self.assertEqual([one.stock.sku for one in pages.page()], self.skus[:10])
            self.assertEqual(next(pages).stock.sku, self.skus[10])
            self.assertEqual([one.stock.sku for one in pages.page()], self.skus[11:20])
            others = client.list_stock(after=pages.next, page_size=200)
            self.assertEqual(self.of_mine(others), self.skus[20:])
            self.assertEqual((others.next, others.page(), list(others)), (None, None, []))

    def test_a_failure_does_not_end_it(self):
        fault = proxy.CutReply(3).about("Stock/List")
        pages = self.through(fault, ONCE).list_stock(after=self.prefix, page_size=5)
        seen = []
        while pages.next is not None:
            try:
                seen.extend(self.of_mine(pages.page()))
            except Unavailable:
                continue
        self.assertEqual((seen, sum(fault.cut.values())), (self.skus, 3))

    def test_asyncio(self):
        async def all_of(client):
            return [one async for one in client.list_stock(after=self.prefix, page_size=2)]

        async def interrupted(client):
            """Who is cancelled while a page comes may go on reading: nothing is lost."""
            pages, seen = client.list_stock(after=self.prefix, page_size=2), []
            while len(seen) < self.COUNT:
                try:
                    seen.append(await asyncio.wait_for(pages.__anext__(), 0.01))
                except asyncio.TimeoutError:
                    continue
            return seen

        with StockClient(shop.tcp) as client:
            self.assertEqual(self.of_mine(asyncio.run(all_of(client))), self.skus)
        slow = self.through(proxy.Delayed().about("Stock/List"))
        self.assertEqual(self.of_mine(asyncio.run(interrupted(slow))), self.skus)


class TestChanges(ClientTest):
    """Each change is made exactly once, whatever goes wrong on its way."""

    def setUp(self):
        super().setUp()
        self.supply()

    def change(self, client):
        """The outcome of a change of each kind; of 1,000 units, one is sold and 50 are left."""
        sold, cancelled, released = [self.reserve(client, key) for key in ("a", "b", "c")]
        later = sold.expires_at + datetime.timedelta(minutes=1)
        wait = dict(timeout_s=20)
        extended = client.extend(sold.hold_id, later, **wait)
        self.assertEqual((extended.hold.expires_at, extended.hold.version), (later, 2))
        made = [extended, client.confirm(sold.hold_id, "pay", **wait),
                client.cancel(cancelled.hold_id, **wait),
                client.release(released.hold_id, reason="why", actor="ada", **wait)]
        self.assertEqual([one.hold.version for one in made], [2, 3, 2, 2])
        adjusted = client.adjust_stock(self.sku, 4, request_id=self.sku + "-more", **wait)
        stocked = client.set_stock(self.sku, 50, request_id=self.sku + "-set", if_available=1003, **wait)
        retired = client.retire_stock(self.sku, request_id=self.sku + "-retire", **wait)
        self.assertEqual([one.stock.available for one in (adjusted, stocked, retired)], [1003, 50, 50])
        self.assertEqual(retired.stock.version, 4)  # with the supply
        self.assert_figures(50, 0, 1)
        return [one.outcome for one in (*made, adjusted, stocked, retired)]

    DONE = [Outcome.EXTENDED, Outcome.CONFIRMED, Outcome.CANCELLED, Outcome.CANCELLED,
            Outcome.STOCK_ADJUSTED, Outcome.STOCK_SET, Outcome.STOCK_RETIRED]
    REPEATED = [Outcome.REPEATED] * len(DONE)

    def test_torn_and_delayed_replies(self):
        for fault in (proxy.Torn(), proxy.Delayed()):
            self.setUp()
            self.assertEqual(self.change(self.through(fault)), self.DONE)

    def test_a_lost_reply_is_found_out(self):
        fault = proxy.CutReply(2).about(*CHANGES)
        self.assertEqual(self.change(self.through(fault)), self.REPEATED)
        self.assertEqual(sum(fault.cut.values()), 2 * len(CHANGES))

    def test_a_lost_request_is_made_again(self):
        fault = proxy.CutRequest(2).about(*CHANGES)
        self.assertEqual(self.change(self.through(fault)), self.DONE)
        self.assertEqual(sum(fault.cut.values()), 2 * len(CHANGES))

    def test_a_server_that_dies_between_send_and_reply(self):
        def crash():
            shop.kill_stockd()
            shop.start_stockd()

        fault = proxy.CutReply(1, crash).about(*CHANGES)
        self.assertEqual(self.change(self.through(fault)), self.REPEATED)
        self.assertEqual(sum(fault.cut.values()), len(CHANGES))
