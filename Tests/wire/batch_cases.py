"""BatchReserve, by a client that shares no code with the server."""

from cases import WireTest, fresh
from client import FRAME_PAYLOAD_BYTES_MAX, envelope
from stock.v1 import reservations_pb2 as reservations

METHOD = "Reservations/BatchReserve"


class TestBatchReserve(WireTest):
    def batch(self, items):
        request = reservations.BatchReserveRequest(items=items)
        reply = self.connection.ask(METHOD, request, reservations.BatchReserveReply)
        self.assertEqual(len(reply.results), len(items))
        return reply.results

    def outcomes(self, items):
        results = self.batch(items)
        self.assertEqual({result.status for result in results}, {envelope.CODE_OK})
        return [result.reply.outcome for result in results]

    def test_each_item_has_its_own_outcome(self):
        self.set_stock(2)
        items = [self.reserve_request() for _ in range(3)]
        items.append(self.reserve_request(sku=fresh("nobody")))
        first = self.batch(items)
        self.assertEqual(
            [result.reply.outcome for result in first],
            [reservations.HELD, reservations.HELD, reservations.SOLD_OUT,
             reservations.UNKNOWN_SKU])
        self.assertEqual([result.reply.available for result in first], [1, 0, 0, 0])
        self.assertEqual(self.confirm(first[0].reply.hold_id).outcome, reservations.CONFIRMED)
        again = self.batch(items)
        self.assertEqual(
            [result.reply.outcome for result in again[:2]], [reservations.REPEATED] * 2)
        self.assertEqual(again[0].reply.status, reservations.Hold.CONFIRMED)
        self.assertEqual(again[1].reply.hold_id, first[1].reply.hold_id)
        self.assert_figures(0, 1, 1)

    def test_one_key_twice_is_one_hold(self):
        self.set_stock(5)
        item = self.reserve_request(qty=2)
        self.assertEqual(
            self.outcomes([item, item]), [reservations.HELD, reservations.REPEATED])
        self.assert_figures(3, 2, 0)

    def test_a_bad_item_is_named_and_harms_nobody(self):
        self.set_stock(5)
        items = [self.reserve_request() for _ in range(19)]
        items[17] = self.reserve_request(qty=0)
        items[18] = self.reserve_request(idempotency_key=items[0].idempotency_key, qty=4)
        results = self.batch([*items[:4], items[17], items[18]])
        self.assertEqual([result.reply.outcome for result in results[:4]], [reservations.HELD] * 4)
        bad, reused = results[4:]
        self.assertEqual(
            (bad.status, bad.detail.reason, bad.detail.field),
            (envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD", "items[4].qty"))
        self.assertEqual(
            (reused.status, reused.detail.reason, reused.detail.field),
            (envelope.CODE_ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED",
             "items[5].idempotency_key"))
        self.assertFalse(bad.HasField("reply"))
        self.assert_figures(1, 4, 0)

    def test_none_and_too_many(self):
        for count in (0, 4_097):
            self.assert_refused(
                METHOD, reservations.BatchReserveRequest(items=[self.reserve_request()] * count),
                envelope.CODE_INVALID_ARGUMENT, "INVALID_FIELD", "items")
        self.assert_still_serves()

    def test_a_full_batch_of_the_longest_fields(self):
        self.sku = (self.sku + "-" * 128)[:128]
        self.set_stock(3_000)
        items = [
            self.reserve_request(user_id="u" * 128, idempotency_key=fresh("k").ljust(128, "k"),
                                 ttl_ms=604_800_000)
            for _ in range(4_096)]
        frame = self.connection.frame(METHOD, reservations.BatchReserveRequest(items=items))
        self.assertLess(len(frame), FRAME_PAYLOAD_BYTES_MAX)
        outcomes = self.outcomes(items)
        self.assertEqual(outcomes[:3_000], [reservations.HELD] * 3_000)
        self.assertEqual(outcomes[3_000:], [reservations.SOLD_OUT] * 1_096)
        self.assert_figures(0, 3_000, 0)

    def test_not_a_batch(self):
        response = self.connection.call(METHOD, reservations.ConfirmRequest(hold_id="x" * 9))
        self.assertEqual(
            (response.status, response.detail.reason),
            (envelope.CODE_INVALID_ARGUMENT, "MALFORMED_MESSAGE"))
