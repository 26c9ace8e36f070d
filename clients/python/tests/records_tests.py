"""What the books say, asked of a real worker."""

import asyncio
import datetime

import proxy
from running import ClientTest
from books import BookedShop
from shop import wait_until
from stockstream import (
    HoldStatus, InvalidRequest, RecordsClient, Serving, StockClient, StockError, Unavailable)

NO_HOLD = "H-" + "0" * 28 + "-1"


class TestRecords(ClientTest):
    @classmethod
    def setUpClass(cls):
        cls.shop = BookedShop()
        cls.addClassCleanup(cls.shop.close)
        cls.shop.open()

    def setUp(self):
        super().setUp()
        self.seller, self.records = StockClient(self.shop.unix), RecordsClient(self.shop.worker)
        self.addCleanup(self.seller.close)
        self.addCleanup(self.records.close)
        self.seller.set_stock(self.sku, 100, request_id=self.sku, reason="delivery 17", actor="ada")

    def hold(self, count):
        """So many holds, which the books have; the newest first, as they have them."""
        held = [self.reserve(self.seller, str(number)).hold_id for number in range(count)]
        wait_until(lambda: len(list(self.records.list_holds(sku=self.sku))) == count, "the books have them")
        return [one.hold_id for one in self.records.list_holds(sku=self.sku)], held

    def test_holds(self):
        began = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)
        listed, held = self.hold(5)
        self.assertEqual(sorted(listed), sorted(held))
        self.seller.confirm(held[0], "pay-1")
        confirmed = dict(user_id=self.user, status=HoldStatus.CONFIRMED)
        wait_until(lambda: list(self.records.list_holds(**confirmed)), "the books have the order")
        (one,) = self.records.list_holds(**confirmed, sku=self.sku)
        self.assertEqual((one.hold_id, one.status, one.sku, one.qty, one.user_id, one.key, one.version),
                         (held[0], HoldStatus.CONFIRMED, self.sku, 1, self.user, "0", 2))
        self.assertEqual((one.payment_ref, one.order_id),
                         ("pay-1", self.seller.get_hold(held[0]).hold.order_id))
        self.assertRegex(one.stream_id, r"^\d+-\d+$")
        mine = dict(user_id=self.user)
        self.assertEqual(len(list(self.records.list_holds(**mine, created_from=began))), 5)
        self.assertEqual(list(self.records.list_holds(**mine, created_until=began)), [])
        self.assertEqual(list(self.records.list_holds(user_id="nobody")), [])
        self.assertEqual(self.fails(InvalidRequest, "INVALID_FIELD", False, 1,
                                    self.records.list_holds(page_size=201).page).field, "limit")

    def test_pages(self):
        listed, _ = self.hold(7)
        for size in (1, 3, 7, 200):
            pages = self.records.list_holds(sku=self.sku, page_size=size)
            self.assertEqual([one.hold_id for one in pages], listed)
        pages = self.records.list_holds(sku=self.sku, page_size=3)
        self.assertEqual([one.hold_id for one in pages.page()], listed[:3])
        rest = self.records.list_holds(sku=self.sku, after=pages.next)
        self.assertEqual([one.hold_id for one in rest], listed[3:])

    def test_histories(self):
        (hold_id,), _ = self.hold(1)
        self.seller.release(hold_id, reason="the buyer has called", actor="eve")
        self.seller.retire_stock(self.sku, request_id=self.sku + "-retire", reason="end of line")
        wait_until(lambda: len(list(self.records.stock_history(self.sku))) == 4, "the books have it all")
        history = list(self.records.stock_history(self.sku, page_size=1))
        self.assertEqual([(one.cause, one.hold_id, one.actor, one.reason) for one in history],
                         [("STOCK_RETIRED", "", "", "end of line"),
                          ("HOLD_CANCELLED", hold_id, "eve", "the buyer has called"),
                          ("HOLD_CREATED", hold_id, "", ""), ("STOCK_SET", "", "ada", "delivery 17")])
        self.assertEqual([(one.available_delta, one.held_delta, one.supplied_delta) for one in history],
                         [(0, 0, 0), (1, -1, 0), (-1, 1, 0), (100, 0, 100)])
        supplied = history[-1]
        self.assertEqual((supplied.event_id, supplied.sku, supplied.available, supplied.request_id),
                         (self.sku + "/1", self.sku, 100, self.sku))
        orders = self.records.stock_history(self.sku, stock_only=True)
        self.assertEqual([one.cause for one in orders], ["STOCK_RETIRED", "STOCK_SET"])
        life = self.records.hold_history(hold_id)
        self.assertEqual((life.hold.status, [one.cause for one in life.movements]),
                         (HoldStatus.CANCELLED, ["HOLD_CREATED", "HOLD_CANCELLED"]))
        none = self.records.hold_history(NO_HOLD)
        self.assertEqual((none.hold, none.movements), (None, ()))

    def test_asyncio(self):
        listed, _ = self.hold(5)

        async def read():
            pages = self.records.list_holds(sku=self.sku, page_size=2)
            return [one.hold_id async for one in pages]

        self.assertEqual(asyncio.run(read()), listed)

    def test_faults(self):
        listed, _ = self.hold(5)
        for fault in (proxy.CutReply(2).about("Records/ListHolds"), proxy.Torn()):
            records = self.through(fault, port=self.shop.worker_port, kind=RecordsClient)
            pages = records.list_holds(sku=self.sku, page_size=2)
            self.assertEqual([one.hold_id for one in pages], listed)

    def test_a_server_of_the_shop_has_no_books(self):
        with RecordsClient(self.shop.unix) as wrong:
            self.fails(StockError, "UNKNOWN_METHOD", False, 1, wrong.list_holds().page)
        self.assertEqual(self.records.health("stock.v1.Records").serving, Serving.SERVING)

    def test_books_that_are_away(self):
        listed, _ = self.hold(4)
        pages = self.records.list_holds(sku=self.sku, page_size=2, timeout_s=20)
        self.assertEqual(next(pages).hold_id, listed[0])
        self.shop.stop_postgres()
        try:
            self.fails(Unavailable, "BOOKS_UNREACHABLE", False, 1,
                       self.records.list_holds(timeout_s=0.5).page)
        finally:
            self.shop.start_postgres()
        self.assertEqual([one.hold_id for one in pages], listed[1:])
