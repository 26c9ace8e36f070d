"""Holds that get a later deadline, and holds that a person releases."""

import time

from cases import WireTest, fresh
from client import envelope
from programs import wait_until
from stock.v1 import feed_pb2 as feed
from stock.v1 import reservations_pb2 as reservations

LIFE_MS_MAX = 604_800_000
EXTENSIONS_MAX = 10


class TestExtend(WireTest):
    def extend(self, hold_id, expires_at, **fields):
        request = reservations.ExtendRequest(hold_id=hold_id, expires_at=expires_at, **fields)
        return self.connection.ask("Reservations/Extend", request, reservations.ExtendReply)

    def test_later_and_never_earlier(self):
        self.set_stock(2)
        held = self.reserve(ttl_ms=60_000)
        later = held.expires_at + 5_000
        reply = self.extend(held.hold_id, later)
        self.assertEqual((reply.outcome, reply.hold.expires_at, reply.hold.version),
                         (reservations.EXTENDED, later, 2))
        made = int(held.hold_id.rpartition("-")[2])
        for deadline in (later, later - 1, held.expires_at, made, made - 1, 1):
            with self.subTest(deadline=deadline):
                again = self.extend(held.hold_id, deadline)
                self.assertEqual(again.outcome, reservations.REPEATED)
                self.assertEqual((again.hold.expires_at, again.hold.version), (later, 2))
        self.assert_figures(1, 1, 0)
        self.assertEqual(self.confirm(held.hold_id).outcome, reservations.CONFIRMED)
        self.assertEqual(self.extend(held.hold_id, later + 1).outcome,
                         reservations.ALREADY_CONFIRMED)

    def test_it_outlives_the_first_deadline(self):
        self.set_stock(1)
        held = self.reserve(ttl_ms=1000)
        self.extend(held.hold_id, held.expires_at + 1500)
        time.sleep(1.8)  # past the first deadline, and a sweep
        self.assertEqual(self.get_hold(hold_id=held.hold_id).hold.status, reservations.Hold.ACTIVE)
        self.assert_figures(0, 1, 0)
        wait_until(lambda: self.get_stock().stock.available == 1, "the stock is back", 3)
        self.assertEqual(self.extend(held.hold_id, held.expires_at + 60_000).outcome,
                         reservations.EXPIRED)

    def test_only_so_often(self):
        self.set_stock(1)
        held = self.reserve(ttl_ms=60_000)
        for number in range(1, EXTENSIONS_MAX + 1):
            reply = self.extend(held.hold_id, held.expires_at + number)
            self.assertEqual(reply.outcome, reservations.EXTENDED)
        reply = self.extend(held.hold_id, held.expires_at + 100)
        self.assertEqual(reply.outcome, reservations.EXTENDED_TOO_OFTEN)
        self.assertEqual(reply.hold.expires_at, held.expires_at + EXTENSIONS_MAX)

    def test_only_so_long(self):
        self.set_stock(1)
        held = self.reserve()
        made = int(held.hold_id.rpartition("-")[2])
        for deadline in (made + LIFE_MS_MAX + 1, 0, -1, 2**63 - 1):
            with self.subTest(deadline=deadline):
                self.assert_refused(
                    "Reservations/Extend",
                    reservations.ExtendRequest(hold_id=held.hold_id, expires_at=deadline),
                    envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD", "expires_at")
        self.assertEqual(self.extend(held.hold_id, made + LIFE_MS_MAX).outcome,
                         reservations.EXTENDED)

    def test_no_such_hold(self):
        self.set_stock(1)
        held = self.reserve()
        other_life = held.hold_id.rpartition("-")[0] + "-1"
        reply = self.extend(other_life, 1000)
        self.assertEqual(reply.outcome, reservations.NO_SUCH_HOLD)
        self.assertFalse(reply.HasField("hold"))
        self.assert_refused(
            "Reservations/Extend", reservations.ExtendRequest(hold_id="box", expires_at=1),
            envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD", "hold_id")

    def test_acknowledged(self):
        self.set_stock(1)
        held = self.reserve()
        reply = self.extend(
            held.hold_id, held.expires_at + 1, acknowledge=reservations.FSYNC)
        self.assertEqual((reply.outcome, reply.acknowledged),
                         (reservations.EXTENDED, reservations.FSYNC))

    def test_release(self):
        follower = self.connect()
        follower.start("Events/Follow", feed.FollowRequest(
            skus=[self.sku], event_types=["HOLD_EXTENDED", "HOLD_CANCELLED"]))
        follower.receive()
        self.set_stock(2)
        held = self.reserve()
        self.extend(held.hold_id, held.expires_at + 1)
        request = reservations.ReleaseRequest(
            hold_id=held.hold_id, reason="the buyer has called", actor="ada ☕")
        for outcome in (reservations.CANCELLED, reservations.REPEATED):
            reply = self.connection.ask(
                "Reservations/Release", request, reservations.ReleaseReply)
            self.assertEqual((reply.outcome, reply.hold.status),
                             (outcome, reservations.Hold.CANCELLED))
        self.assert_figures(2, 0, 0)
        events = []
        while len(events) < 2:
            item = feed.FollowItem.FromString(follower.receive().message)
            if item.event_type:
                events.append((item.event_type, item.event_id, item.hold.reason, item.hold.actor))
        self.assertEqual(events, [
            ("HOLD_EXTENDED", f"{held.hold_id}/2", "", ""),
            ("HOLD_CANCELLED", f"{held.hold_id}/3", "the buyer has called", "ada ☕")])

    def test_release_says_who_and_why(self):
        hold_id = "H-" + "0" * 28 + "-1"
        texts = ["", "x" * 129, "line\nend", "nul\0", "del\x7f"]
        for field, values in {"hold_id": ["", "box"], "reason": texts, "actor": texts}.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    whole = dict(hold_id=hold_id, reason="r", actor=fresh("a")) | {field: value}
                    self.assert_refused(
                        "Reservations/Release", reservations.ReleaseRequest(**whole),
                        envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD", field)
