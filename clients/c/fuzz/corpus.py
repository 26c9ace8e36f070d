#!/usr/bin/python3
"""Writes the first inputs of the fuzz target, from the contracts: /usr/bin/python3 fuzz/corpus.py"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "test"))
from proxy import connection, envelope, frame, health, reservations  # noqa: E402
from shop import stock  # noqa: E402
from stock.v1 import events_pb2 as events  # noqa: E402
from stock.v1 import feed_pb2 as feed  # noqa: E402

CONTROL = (1 << 14) - 1
HELLO, HEALTH = 1 << 14 | CONTROL, 2 << 14 | CONTROL
(RESERVE, BATCH, CONFIRM, CANCEL, GET_HOLD, GET_STOCK, SET_STOCK, CHECK, PING, WATCH, FOLLOW, EXTEND,
 ADJUST, RELEASE, RETIRE, LIST) = ((3 + place) << 14 | place for place in range(16))


def ok(call_id, message, **more):
    return frame(envelope.Response(call_id=call_id, message=message.SerializeToString(), **more))


def failed(call_id, code, **detail):
    return frame(envelope.Response(call_id=call_id, status=code, detail=envelope.ErrorDetail(**detail)))


hold = reservations.Hold(
    hold_id="H-1", status=reservations.Hold.CONFIRMED, sku="box", qty=2, user_id="ada", idempotency_key="k",
    created_at=1, expires_at=2, changed_at=3, version=2, payment_ref="p", order_id="o")
level = stock.StockLevel(sku="box", available=1, held=2, sold=3, supplied=6, version=1)
reply = reservations.ReserveReply(outcome=1, hold_id="H-1", status=1, expires_at=9, available=3)
update = stock.StockUpdate(outcome=9, stock=level, closed=True, token="0123456789abcdef")
corrected = events.Correction(actor="ada", reason="why", found="what")
items = [
    feed.FollowItem(token="1-0.0.1"),
    feed.FollowItem(
        token="1-0.1.1", event_type="HOLD_CREATED", event_id="H-1-2/1", time=3, traceparent="00-a-b-01",
        hold=events.HoldEvent(hold="H-1", user_id="ada", idempotency_key="k", created_at=2, status=1,
                              lines=[events.HoldLine(qty=1, sku="box")], version=1, correction=corrected)),
    feed.FollowItem(
        token="1-0.2.1", event_type="STOCK_SET", event_id="box/1", time=3,
        stock=events.StockEvent(sku="box", request_id="r", version=1, available=3, delta=3, supplied=3)),
    feed.FollowItem(token="1-0.3.1", event_type="NEW", unread=b"\0\1"),
]
notice = connection.Notice(going_away=connection.GoingAway(reason="bye", close_after_ms=5))
seeds = {
    "hello": ok(HELLO, connection.HelloReply(protocol=2, server="stockd/1")),
    "unsupported": failed(HELLO, 9, reason="PROTOCOL_UNSUPPORTED", message="No."),
    "health": ok(HEALTH, health.HealthCheckReply(status=health.NOT_SERVING)),
    "going_away": ok(0, notice) + ok(RESERVE, reply) + ok(PING, connection.PingReply()),
    "reserve": ok(RESERVE, reply),
    "batch": ok(BATCH, reservations.BatchReserveReply(results=[reservations.ReserveResult(reply=reply)])),
    "batch_failed": ok(BATCH, reservations.BatchReserveReply(results=[reservations.ReserveResult(
        status=3, detail=envelope.ErrorDetail(reason="INVALID_FIELD", message="m", field="items[0].qty"))])),
    "confirm": ok(CONFIRM, reservations.ConfirmReply(outcome=5, hold=hold)),
    "cancel": ok(CANCEL, reservations.CancelReply(outcome=6, hold=hold)),
    "extend": ok(EXTEND, reservations.ExtendReply(outcome=19, hold=hold)),
    "adjust": ok(ADJUST, stock.AdjustStockReply(outcome=14, stock=level)),
    "release": ok(RELEASE, reservations.ReleaseReply(outcome=6, hold=hold)),
    "retire": ok(RETIRE, stock.RetireStockReply(outcome=17, stock=level)),
    "list": ok(LIST, stock.ListStockReply(
        stock=[stock.StockListing(stock=level, closed=True), stock.StockListing(stock=level)], next="box")),
    "list_without_stock": ok(LIST, stock.ListStockReply(stock=[stock.StockListing()])),
    "get_hold": ok(GET_HOLD, reservations.GetHoldReply(outcome=9, hold=hold)),
    "get_stock": ok(GET_STOCK, stock.GetStockReply(outcome=9, stock=level)),
    "set_stock": ok(SET_STOCK, stock.SetStockReply(outcome=10, stock=level)),
    "check": ok(CHECK, health.HealthCheckReply(status=health.DEGRADED, warnings=["a", "b"], version="1")),
    "ping": ok(PING, connection.PingReply()),
    "stream": ok(GET_STOCK, stock.GetStockReply(outcome=9), more=True),
    "watch": ok(WATCH, update, more=True) * 3 + failed(WATCH, 14, reason="SHUTTING_DOWN", retryable=True),
    "follow": b"".join(ok(FOLLOW, item, more=True) for item in items) + ok(FOLLOW, feed.FollowItem()),
    "follow_failed": ok(FOLLOW, items[0], more=True) + failed(FOLLOW, 11, reason="TOKEN_TOO_OLD"),
    "long_token": ok(FOLLOW, feed.FollowItem(token="t" * 1025), more=True),
    "request_id": frame(envelope.Response(call_id=PING, metadata=[
        envelope.Metadata(key="x-request-id", value="r"), envelope.Metadata(key="x", value="y")])),
    "overloaded": failed(RESERVE, 8, reason="OVERLOADED", message="m", retryable=True, retry_after_ms=7),
    "unknown": failed(RESERVE, 4, reason="DEADLINE", message="m", outcome_unknown=True),
    "shutting_down": failed(RESERVE, 14, reason="SHUTTING_DOWN", message="m", retryable=True),
    "stray": ok(1 << 60, connection.PingReply()) + ok(RESERVE, reply) + ok(RESERVE, reply),
    "too_long": b"\xff\xff\xff\xff",
    "empty": b"\0\0\0\0",
    "torn": ok(RESERVE, reply)[:-3],
}
for name, data in seeds.items():
    with open(os.path.join(HERE, "corpus", name), "wb") as seed:
        seed.write(data)
