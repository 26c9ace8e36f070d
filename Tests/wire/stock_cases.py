"""What a person does with stock: changes it by an order, with who and why, and lists it."""

import uuid

from cases import WireTest, fresh
from client import envelope
from stock.v1 import feed_pb2 as feed
from stock.v1 import reservations_pb2 as reservations
from stock.v1 import stock_pb2 as stock

UNITS_MAX = 1_000_000_000_000


class TestStockOrders(WireTest):
    def set(self, available, **fields):
        whole = dict(sku=self.sku, available=available, request_id=fresh("set")) | fields
        return self.connection.ask("Stock/Set", stock.SetStockRequest(**whole), stock.SetStockReply)

    def adjust(self, delta, **fields):
        whole = dict(sku=self.sku, delta=delta, request_id=fresh("adjust")) | fields
        return self.connection.ask(
            "Stock/Adjust", stock.AdjustStockRequest(**whole), stock.AdjustStockReply)

    def retire(self, **fields):
        whole = dict(sku=self.sku, request_id=fresh("retire")) | fields
        return self.connection.ask(
            "Stock/Retire", stock.RetireStockRequest(**whole), stock.RetireStockReply)

    def test_adjust(self):
        self.assertEqual(self.adjust(5).outcome, reservations.UNKNOWN_SKU)
        self.set(3)
        self.reserve()
        reply = self.adjust(5)
        self.assertEqual((reply.outcome, reply.stock.available), (reservations.STOCK_ADJUSTED, 7))
        self.assertEqual(self.adjust(-7).stock.available, 0)
        self.assert_figures(0, 1, 0)

    def test_adjust_never_takes_what_is_not_there(self):
        self.set(3)
        self.reserve()
        request_id = fresh("adjust")
        reply = self.adjust(-3, request_id=request_id)
        self.assertEqual((reply.outcome, reply.stock.available), (reservations.TOO_FEW_AVAILABLE, 2))
        self.assert_figures(2, 1, 0)
        # Nothing was done, so the id is still free.
        self.assertEqual(self.adjust(-2, request_id=request_id).outcome, reservations.STOCK_ADJUSTED)
        self.assertEqual(self.adjust(-2, request_id=request_id).outcome, reservations.REPEATED)
        self.assert_figures(0, 1, 0)

    def test_a_request_id_is_of_one_change(self):
        request_id = fresh("set")
        self.set(3, request_id=request_id)
        for method, request in (
                ("Stock/Adjust", stock.AdjustStockRequest(
                    sku=self.sku, delta=3, request_id=request_id)),
                ("Stock/Retire", stock.RetireStockRequest(sku=self.sku, request_id=request_id))):
            with self.subTest(method=method):
                self.assert_refused(
                    method, request, envelope.CODE_ALREADY_EXISTS, "REQUEST_ID_REUSED")
        self.assert_figures(3, 0, 0)

    def test_too_many_units(self):
        self.set(UNITS_MAX)
        for delta in (1, UNITS_MAX):
            with self.subTest(delta=delta):
                self.assert_refused(
                    "Stock/Adjust",
                    stock.AdjustStockRequest(sku=self.sku, delta=delta, request_id=fresh("adjust")),
                    envelope.CODE_OUT_OF_RANGE, "TOO_MANY_UNITS")
        self.assert_figures(UNITS_MAX, 0, 0)

    def test_compare_and_set(self):
        reply = self.set(5, if_available=1)
        self.assertEqual((reply.outcome, reply.stock.version), (reservations.AVAILABLE_DIFFERS, 0))
        self.assertEqual(self.get_stock().outcome, reservations.UNKNOWN_SKU)
        self.assertEqual(self.set(5, if_available=0).outcome, reservations.STOCK_SET)
        self.reserve()
        request_id = fresh("set")
        reply = self.set(9, if_available=5, request_id=request_id)
        self.assertEqual((reply.outcome, reply.stock.available), (reservations.AVAILABLE_DIFFERS, 4))
        self.assertEqual(
            self.set(9, if_available=4, request_id=request_id).outcome, reservations.STOCK_SET)
        # Done once: the repeat does not look any more.
        self.assertEqual(
            self.set(9, if_available=4, request_id=request_id).outcome, reservations.REPEATED)
        self.assert_figures(9, 1, 0)

    def test_retired(self):
        self.assertEqual(self.retire().outcome, reservations.UNKNOWN_SKU)
        self.set(5)
        first, second = self.reserve().hold_id, self.reserve().hold_id
        reply = self.retire()
        self.assertEqual((reply.outcome, reply.stock.retired), (reservations.STOCK_RETIRED, True))
        refused = self.reserve()
        self.assertEqual((refused.outcome, refused.available), (reservations.NOT_FOR_SALE, 3))
        self.assertEqual(refused.hold_id, "")
        self.assertEqual(self.confirm(first).outcome, reservations.CONFIRMED)
        self.assertEqual(self.cancel(second).outcome, reservations.CANCELLED)
        self.assertEqual(self.retire().outcome, reservations.REPEATED)
        self.assertTrue(self.get_stock().stock.retired)
        self.assertTrue(self.adjust(1).stock.retired, "an adjustment does not bring it back")
        self.assertFalse(self.set(2).stock.retired)
        self.assertEqual(self.reserve().outcome, reservations.HELD)
        self.assert_figures(1, 1, 1)

    def test_a_closed_sku(self):
        programs = self.own_programs()
        self.set(3)
        programs.store("SET", f"stock:{self.sku}", "7")
        for method, request in (
                ("Stock/Adjust", stock.AdjustStockRequest(
                    sku=self.sku, delta=1, request_id=fresh("adjust"))),
                ("Stock/Retire", stock.RetireStockRequest(
                    sku=self.sku, request_id=fresh("retire")))):
            with self.subTest(method=method):
                self.assert_refused(
                    method, request, envelope.CODE_FAILED_PRECONDITION, "STOCK_MISMATCH")

    def test_who_and_why_go_into_the_event(self):
        follower = self.connect()
        call_id = follower.start("Events/Follow", feed.FollowRequest(skus=[self.sku]))
        self.assertEqual(feed.FollowItem.FromString(follower.receive().message).event_type, "")
        self.set(3, reason="delivery 17", actor="ada ☕")
        self.adjust(-1, reason="broken")
        self.retire(actor="bob")
        events = []
        while len(events) < 3:
            response = follower.receive()
            self.assertEqual(response.call_id, call_id)
            item = feed.FollowItem.FromString(response.message)
            if item.event_type:
                events.append((item.event_type, item.stock.reason, item.stock.actor,
                               item.stock.delta, item.stock.available, item.stock.retired))
        self.assertEqual(events, [
            ("STOCK_SET", "delivery 17", "ada ☕", 3, 3, False),
            ("STOCK_ADJUSTED", "broken", "", -1, 2, False),
            ("STOCK_RETIRED", "", "bob", 0, 2, True)])

    def test_fields(self):
        texts = ["x" * 129, "line\nend", "nul\0", "del\x7f"]
        table = {
            ("Stock/Set", stock.SetStockRequest, (("available", 1),)): {
                "if_available": [UNITS_MAX + 1, 2**64 - 1], "reason": texts, "actor": texts},
            ("Stock/Adjust", stock.AdjustStockRequest, (("delta", 1),)): {
                "sku": ["", "a b"], "delta": [0, UNITS_MAX + 1, -UNITS_MAX - 1, -2**63],
                "request_id": [""] + texts, "reason": texts, "actor": texts},
            ("Stock/Retire", stock.RetireStockRequest, ()): {
                "sku": ["", "a b"], "request_id": [""] + texts, "reason": texts, "actor": texts},
        }
        for (method, make, usual), fields in table.items():
            for field, values in fields.items():
                for value in values:
                    with self.subTest(method=method, field=field, value=value):
                        whole = dict(sku=self.sku, request_id="r", **dict(usual)) | {field: value}
                        self.assert_refused(
                            method, make(**whole), envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD",
                            field)
        self.assertEqual(self.get_stock().outcome, reservations.UNKNOWN_SKU)


class TestStockList(WireTest):
    def page(self, after="", limit=0):
        return self.connection.ask(
            "Stock/List", stock.ListStockRequest(after=after, limit=limit), stock.ListStockReply)

    def below(self, prefix, limit):
        """Every SKU with that prefix, page by page."""
        found, after = [], prefix
        while True:
            page = self.page(after, limit)
            self.assertLessEqual(len(page.stock), limit)
            found += [item for item in page.stock if item.stock.sku.startswith(prefix)]
            after = page.next
            if not after or not after.startswith(prefix):
                return found

    def test_pages(self):
        prefix = f"page-{uuid.uuid4().hex[:12]}."
        for number in range(23):
            self.sku = f"{prefix}{number:02}"
            self.set_stock(number)
        self.reserve()
        for limit in (1, 7, 200):
            with self.subTest(limit=limit):
                found = self.below(prefix, limit)
                self.assertEqual([item.stock.sku for item in found],
                                 [f"{prefix}{number:02}" for number in range(23)])
                last = found[-1].stock
                self.assertEqual((last.available, last.held, last.supplied), (21, 1, 22))

    def test_closed_and_retired(self):
        programs = self.own_programs()
        prefix = f"state-{uuid.uuid4().hex[:12]}."
        for name in ("closed", "retired", "sold"):
            self.sku = prefix + name
            self.set_stock(2)
        programs.store("SET", f"stock:{prefix}closed", "many")
        request = stock.RetireStockRequest(sku=prefix + "retired", request_id=fresh("retire"))
        self.connection.ask("Stock/Retire", request, stock.RetireStockReply)
        self.assertEqual(
            [(item.closed, item.stock.retired) for item in self.below(prefix, 10)],
            [(True, False), (False, True), (False, False)])

    def test_the_last_page(self):
        self.sku = f"zzz-{uuid.uuid4().hex[:12]}"
        self.set_stock(1)
        page = self.page(after=self.sku)
        self.assertEqual((list(page.stock), page.next), ([], ""))

    def test_fields(self):
        for field, values in {"limit": [201, 2**32 - 1], "after": ["a b", "x" * 129]}.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    self.assert_refused(
                        "Stock/List", stock.ListStockRequest(**{field: value}),
                        envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD", field)
