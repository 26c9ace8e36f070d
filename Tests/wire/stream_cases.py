"""Streams: windows, feeds, tokens."""

import uuid

from cases import WireTest, fresh
from client import Closed, envelope
from every_method import STREAMED
from programs import wait_until
from stock.v1 import connection_pb2 as connection
from stock.v1 import feed_pb2 as feed
from stock.v1 import reservations_pb2 as reservations
from stock.v1 import stock_pb2 as stock

ITEM_OVERHEAD = 64


class StreamTest(WireTest):
    def item(self, call_id, item_type):
        """The next item of a stream."""
        response = self.connection.response_to(call_id)
        self.assertTrue(response.more, response)
        self.assertEqual(response.status, envelope.CODE_OK)
        return item_type.FromString(response.message)

    def cancel(self, call_id):
        reply = self.connection.ask(
            "Connection/Cancel", connection.CancelCallRequest(call_id=call_id),
            connection.CancelCallReply)
        self.assertTrue(reply.found)
        while (response := self.connection.response_to(call_id)).more:
            pass
        self.assert_failed(response, envelope.CODE_CANCELLED, "CANCELLED")

    def grant(self, call_id, count):
        self.connection.ask("Connection/Credit",
                            connection.CreditRequest(call_id=call_id, bytes=count),
                            connection.CreditReply)

    def assert_silent(self, call_id):
        """What was sent before this answer has come; there is no item among it."""
        self.connection.call("Connection/Ping", connection.PingRequest())
        self.assertNotIn(call_id, [response.call_id for response in self.connection.others])

    # --- by their short names

    def follow(self, window_bytes=0, **fields):
        return self.connection.start("Events/Follow", feed.FollowRequest(**fields), timeout_ms=0,
                                     window_bytes=window_bytes)

    def event(self, call_id):
        """The next item that is more than a token."""
        while not (item := self.item(call_id, feed.FollowItem)).event_type:
            pass
        return item

    def watch(self, *skus, window_bytes=0, **fields):
        return self.connection.start(
            "Stock/Watch", stock.WatchStockRequest(skus=skus, **fields), timeout_ms=0,
            window_bytes=window_bytes)

    def update(self, call_id):
        return self.item(call_id, stock.StockUpdate)


class TestStreams(StreamTest):
    """What holds for every stream."""

    def test_cancel(self):
        for method, request in STREAMED.items():
            with self.subTest(method=method):
                call_id = self.connection.start(method, request(self.sku), timeout_ms=0)
                self.assertTrue(self.connection.response_to(call_id).more)
                self.cancel(call_id)
                found = self.connection.ask(
                    "Connection/Cancel", connection.CancelCallRequest(call_id=call_id),
                    connection.CancelCallReply).found
                self.assertFalse(found)

    def test_deadline(self):
        for method, request in STREAMED.items():
            with self.subTest(method=method):
                call_id = self.connection.start(method, request(self.sku), timeout_ms=50)
                while (response := self.connection.response_to(call_id)).more:
                    pass
                self.assert_failed(response, envelope.CODE_DEADLINE_EXCEEDED, "DEADLINE")

    def test_the_request_id_comes_back_with_the_last_word(self):
        for method, request in STREAMED.items():
            with self.subTest(method=method):
                call_id = self.connection.start(
                    method, request(self.sku), timeout_ms=50,
                    metadata=[envelope.Metadata(key="x-request-id", value="r-1")])
                while (response := self.connection.response_to(call_id)).more:
                    self.assertEqual(len(response.metadata), 0)
                self.assertEqual([one.value for one in response.metadata], ["r-1"])

    def test_the_window(self):
        """Items come while it is above zero; the last one may overdraw it."""
        self.set_stock(100)
        sent = 3
        first = self.follow(skus=[self.sku])
        begin = self.item(first, feed.FollowItem).token
        for _ in range(20):
            self.reserve()
        sizes = []
        for _ in range(20):
            response = self.connection.response_to(first)
            sizes.append(len(response.message) + ITEM_OVERHEAD)
        self.cancel(first)
        # The first item of a stream is a token.
        token = len(feed.FollowItem(token=begin).SerializeToString()) + ITEM_OVERHEAD
        call_id = self.follow(skus=[self.sku], after=begin,
                              window_bytes=token + sum(sizes[:sent - 1]) + 1)
        self.item(call_id, feed.FollowItem)
        for _ in range(sent):
            self.event(call_id)
        self.assert_silent(call_id)
        self.grant(call_id, 1)  # the debt is larger
        self.assert_silent(call_id)
        self.grant(call_id, sizes[sent - 1])
        self.event(call_id)
        self.assert_silent(call_id)
        self.grant(call_id, 2**32 - 1)  # as much as a window may have
        for _ in range(20 - sent - 1):
            self.event(call_id)
        self.cancel(call_id)

    def test_credit_for_nothing(self):
        for call_id in (0, 1_000_000):
            self.grant(call_id, 2**32 - 1)
        self.assert_still_serves()

    def test_a_reader_that_leaves(self):
        peer = self.connect()
        for method, request in STREAMED.items():
            call_id = peer.start(method, request(self.sku), timeout_ms=0)
            self.assertTrue(peer.response_to(call_id).more)
        peer.socket.close()
        self.set_stock(5)
        self.reserve()
        self.assert_still_serves()


class TestFollow(StreamTest):
    TRACE = "00-6162636465666768696a6b6c6d6e6f70-7172737475767778-01"

    def test_the_life_of_holds(self):
        self.set_stock(10)
        call_id = self.follow(skus=[self.sku])
        self.assertEqual(self.item(call_id, feed.FollowItem).event_type, "")
        one, two, three = (self.reserve(qty=2, ttl_ms=ttl).hold_id for ttl in (0, 0, 1_000))
        self.confirm(one)
        self.cancel_hold(two)
        self.set_stock(50)
        types, holds = {}, {}
        for _ in range(7):
            event = self.event(call_id)
            types.setdefault(event.event_id.rpartition("/")[0], []).append(event.event_type)
            self.assertGreater(event.time, 1_600_000_000_000)
            if event.WhichOneof("event") == "hold":
                holds[event.event_id] = event.hold
        self.assertEqual(types, {
            one: ["HOLD_CREATED", "HOLD_CONFIRMED"], two: ["HOLD_CREATED", "HOLD_CANCELLED"],
            three: ["HOLD_CREATED", "HOLD_EXPIRED"], self.sku: ["STOCK_SET"]})
        self.assertEqual(holds[one + "/2"].payment_ref, "pay-1")
        self.assertEqual(holds[two + "/2"].status, reservations.Hold.CANCELLED)
        for event in holds.values():
            self.assertEqual([(line.sku, line.qty) for line in event.lines], [(self.sku, 2)])
        self.cancel(call_id)

    def cancel_hold(self, hold_id):
        self.assertEqual(WireTest.cancel(self, hold_id).outcome, reservations.CANCELLED)

    def test_filters(self):
        self.set_stock(10)
        call_id = self.follow(skus=[self.sku], event_types=["HOLD_CONFIRMED", "STOCK_ADOPTED"])
        self.item(call_id, feed.FollowItem)
        hold_id = self.reserve().hold_id
        self.confirm(hold_id)
        self.assertEqual(self.event(call_id).event_id, hold_id + "/2")
        self.cancel(call_id)

    def test_the_trace_of_a_call_is_in_its_event(self):
        self.set_stock(10)
        call_id = self.follow(skus=[self.sku])
        self.item(call_id, feed.FollowItem)
        trace = [envelope.Metadata(key="traceparent", value=self.TRACE)]
        wrong = [envelope.Metadata(key="traceparent", value="00" + self.TRACE[3:])]
        held = self.connection.ask("Reservations/Reserve", self.reserve_request(),
                                   reservations.ReserveReply, metadata=trace)
        self.assertEqual(self.event(call_id).traceparent, self.TRACE)
        self.connection.ask(
            "Reservations/Confirm",
            reservations.ConfirmRequest(hold_id=held.hold_id, payment_ref="p"),
            reservations.ConfirmReply, metadata=trace)
        event = self.event(call_id)
        self.assertEqual((event.event_type, event.traceparent), ("HOLD_CONFIRMED", self.TRACE))
        self.connection.ask(
            "Reservations/BatchReserve",
            reservations.BatchReserveRequest(items=[self.reserve_request()]),
            reservations.BatchReserveReply, metadata=trace)
        self.assertEqual(self.event(call_id).traceparent, self.TRACE)
        self.connection.ask("Stock/Set", stock.SetStockRequest(
            sku=self.sku, available=1, request_id=fresh("set")), stock.SetStockReply,
            metadata=trace)
        self.assertEqual(self.event(call_id).traceparent, self.TRACE)
        self.connection.ask("Reservations/Reserve", self.reserve_request(),
                            reservations.ReserveReply, metadata=wrong)
        self.assertEqual(self.event(call_id).traceparent, "")
        self.cancel(call_id)

    def test_a_token_resumes(self):
        self.set_stock(10)
        call_id = self.follow(skus=[self.sku], from_earliest=True)
        reply = self.connection.ask(
            "Reservations/BatchReserve", reservations.BatchReserveRequest(
                items=[self.reserve_request() for _ in range(5)]),
            reservations.BatchReserveReply)
        expected = [f"{result.reply.hold_id}/1" for result in reply.results]
        self.assertEqual(self.event(call_id).event_type, "STOCK_SET")
        events = [self.event(call_id) for _ in range(5)]
        self.assertEqual([event.event_id for event in events], expected)
        self.cancel(call_id)
        for place, event in enumerate(events):
            again = self.connect()
            self.connection, kept = again, self.connection
            call_id = self.follow(skus=[self.sku], after=event.token)
            self.assertEqual(self.item(call_id, feed.FollowItem).token, event.token)
            rest = [self.event(call_id).event_id for _ in expected[place + 1:]]
            self.assertEqual(rest, expected[place + 1:])
            self.assert_silent(call_id)
            self.connection = kept

    def test_tokens_that_are_none(self):
        for token in ("soon", "1-1", "1-1.0", "1-1.0.x", "1-1.-1.1", "1-1.0.1.1"):
            with self.subTest(token=token):
                response = self.connection.response_to(self.follow(after=token))
                self.assert_failed(response, envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD")
                self.assertEqual(response.detail.field, "after")

    def test_filters_that_are_none(self):
        for fields, field in ((dict(event_types=["DANCE"]), "event_types[0]"),
                              (dict(skus=["box", "a b"]), "skus[1]"),
                              (dict(event_types=["HOLD_CREATED"] * 17), "event_types"),
                              (dict(skus=[f"s{n}" for n in range(257)]), "skus")):
            with self.subTest(field=field):
                response = self.connection.response_to(self.follow(**fields))
                self.assert_failed(response, envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD")
                self.assertEqual(response.detail.field, field)

    def test_a_token_that_is_too_old(self):
        programs = self.own_programs()
        self.set_stock(10)
        call_id = self.follow(skus=[self.sku])
        old = self.item(call_id, feed.FollowItem).token
        self.reserve()
        current = self.event(call_id).token
        self.cancel(call_id)
        programs.store("XTRIM", "inventory.events", "MAXLEN", "0")
        for token in (current, self.earliest_instead_of(old)):
            call_id = self.follow(skus=[self.sku], after=token)
            self.item(call_id, feed.FollowItem)
            hold_id = self.reserve().hold_id
            while self.event(call_id).event_id != hold_id + "/1":
                pass  # by the earliest token, what the other has made comes first
            self.cancel(call_id)
        programs.store("XTRIM", "inventory.events", "MAXLEN", "0")
        self.assertNotEqual(self.earliest_instead_of(current), current)

    def earliest_instead_of(self, token):
        """The token that the refusal names."""
        response = self.connection.response_to(self.follow(after=token))
        self.assert_failed(response, envelope.CODE_OUT_OF_RANGE, "TOKEN_TOO_OLD")
        self.assertEqual(response.detail.field, "after")
        return response.detail.message.rstrip(".").rpartition(" ")[2]

    def test_a_token_that_the_store_never_gave(self):
        self.own_programs()
        self.set_stock(1)
        response = self.connection.response_to(self.follow(after="9999999999999-0.0.99999999"))
        self.assert_failed(response, envelope.CODE_OUT_OF_RANGE, "TOKEN_UNKNOWN")

    def test_an_event_of_a_newer_server(self):
        programs = self.own_programs()
        call_id = self.follow(skus=[self.sku], event_types=["HOLD_CREATED"])
        self.item(call_id, feed.FollowItem)
        programs.store("XADD", "inventory.events", "*", "source", "0/w/9", "HOLD_MOVED", "new")
        event = self.event(call_id)
        self.assertEqual((event.event_type, event.unread), ("HOLD_MOVED", b"new"))
        self.cancel(call_id)


class TestWatch(StreamTest):
    def test_every_change(self):
        other = self.sku + "-later"
        self.set_stock(5)
        call_id = self.watch(self.sku, other)
        first = {update.stock.sku: update for update in (self.update(call_id) for _ in range(2))}
        self.assertEqual(first[self.sku].outcome, reservations.FOUND)
        self.assertEqual(first[self.sku].stock.available, 5)
        self.assertEqual(first[other].outcome, reservations.UNKNOWN_SKU)
        hold_id = self.reserve(qty=2).hold_id
        update = self.update(call_id)
        self.assertEqual((update.stock.available, update.stock.held), (3, 2))
        self.confirm(hold_id)
        self.assertEqual(self.update(call_id).stock.sold, 2)
        self.sku = other
        self.set_stock(9)
        update = self.update(call_id)
        self.assertEqual((update.outcome, update.stock.sku, update.stock.available),
                         (reservations.FOUND, other, 9))
        self.cancel(call_id)

    def test_a_closed_sku(self):
        programs = self.own_programs()
        self.set_stock(5)
        call_id = self.watch(self.sku)
        self.assertFalse(self.update(call_id).closed)
        programs.store("SET", f"stock:{self.sku}", "77")
        again = self.watch(self.sku)
        self.assertTrue(self.update(again).closed)
        self.cancel(again)
        self.connection.call("Stock/Adopt", stock.AdoptStockRequest(sku=self.sku))
        wait_until(lambda: self.update(call_id).stock.available == 77, "the adopted figure comes")
        self.cancel(call_id)

    def test_a_token_that_is_current_brings_nothing(self):
        other = self.sku + "-2"
        self.set_stock(5)
        call_id = self.watch(self.sku, other)
        token = [self.update(call_id).token for _ in range(2)][-1]
        self.cancel(call_id)
        current = self.watch(other, self.sku, after=token)
        stale = self.watch(self.sku, other, after=uuid.uuid4().hex[:16])
        for _ in range(2):  # it has been read in full, and so has the other, which asked first
            self.update(stale)
        self.assert_silent(current)
        self.reserve()
        self.assertEqual(self.update(current).stock.available, 4)
        self.cancel(current)
        self.cancel(stale)

    def test_a_slow_reader_gets_the_latest(self):
        self.set_stock(1_000)
        call_id = self.watch(self.sku, window_bytes=1)
        self.assertEqual(self.update(call_id).stock.available, 1_000)
        for _ in range(30):
            self.reserve()
        self.assert_silent(call_id)
        self.grant(call_id, 1_000)
        wait_until(lambda: self.update(call_id).stock.held == 30, "the latest figure comes")
        self.assert_silent(call_id)
        self.cancel(call_id)

    def test_skus_that_are_none(self):
        for skus, field in (([], "skus"), (["a", "a"], "skus[1]"), (["a", "a b"], "skus[1]"),
                            ([f"s{n}" for n in range(257)], "skus")):
            with self.subTest(field=field, count=len(skus)):
                response = self.connection.response_to(self.watch(*skus))
                self.assert_failed(response, envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD")
                self.assertEqual(response.detail.field, field)

    def test_256_skus(self):
        skus = [f"{self.sku}-{n}" for n in range(256)]
        call_id = self.watch(*skus)
        self.assertEqual({self.update(call_id).stock.sku for _ in skus}, set(skus))
        self.cancel(call_id)


class TestUnreadStream(WireTest):
    def test_a_reader_that_never_reads_costs_its_window(self):
        """Its stream stops; another connection is served as ever."""
        self.set_stock(1_000_000)
        deaf = self.connect(receive_buffer=4096)
        deaf.start("Events/Follow", feed.FollowRequest(skus=[self.sku]), timeout_ms=0,
                   window_bytes=2**32 - 1)
        for _ in range(2):
            self.connection.ask(
                "Reservations/BatchReserve", reservations.BatchReserveRequest(
                    items=[self.reserve_request() for _ in range(2_000)]),
                reservations.BatchReserveReply)
        self.assert_figures(1_000_000 - 4_000, 4_000, 0)
        try:
            self.assertEqual(deaf.receive().call_id, 1)
        except Closed:
            self.fail("a stream that waits is no offence")
