"""A request of every method, for tests that make all of them."""

from cases import fresh, reserve_request
from stock.v1 import connection_pb2 as connection
from stock.v1 import diagnostics_pb2 as diagnostics
from stock.v1 import feed_pb2 as feed
from stock.v1 import health_pb2 as health
from stock.v1 import reflection_pb2 as reflection
from stock.v1 import reservations_pb2 as reservations
from stock.v1 import stock_pb2 as stock

NO_HOLD = "H-" + "0" * 28 + "-1"

# What goes to the store, as functions of a SKU.
STORED = {
    "Reservations/Reserve": reserve_request,
    "Reservations/BatchReserve": lambda sku: reservations.BatchReserveRequest(
        items=[reserve_request(sku), reserve_request(sku)]),
    "Reservations/Confirm": lambda sku: reservations.ConfirmRequest(
        hold_id=NO_HOLD, payment_ref="p"),
    "Reservations/Cancel": lambda sku: reservations.CancelRequest(hold_id=NO_HOLD),
    "Reservations/Extend": lambda sku: reservations.ExtendRequest(hold_id=NO_HOLD, expires_at=2),
    "Reservations/Release": lambda sku: reservations.ReleaseRequest(
        hold_id=NO_HOLD, reason="r", actor="a"),
    "Reservations/GetHold": lambda sku: reservations.GetHoldRequest(hold_id=NO_HOLD),
    "Stock/Set": lambda sku: stock.SetStockRequest(
        sku=sku, available=7, request_id=fresh("set")),
    "Stock/Adjust": lambda sku: stock.AdjustStockRequest(
        sku=sku, delta=1, request_id=fresh("adjust")),
    "Stock/Retire": lambda sku: stock.RetireStockRequest(sku=sku, request_id=fresh("retire")),
    "Stock/List": lambda sku: stock.ListStockRequest(limit=1),
    "Stock/Get": lambda sku: stock.GetStockRequest(sku=sku),
    "Stock/Adopt": lambda sku: stock.AdoptStockRequest(sku=sku),
}

# Those whose answer is a stream.
STREAMED = {
    "Events/Follow": lambda sku: feed.FollowRequest(skus=[sku]),
    "Stock/Watch": lambda sku: stock.WatchStockRequest(skus=[sku]),
}

# What the server answers by itself.
IMMEDIATE = {
    "Health/Check": lambda sku: health.HealthCheckRequest(),
    "Reflection/Describe": lambda sku: reflection.DescribeRequest(),
    "Diagnostics/State": lambda sku: diagnostics.StateRequest(),
}

# About the connection itself.
CONTROL = {
    "Connection/Hello": lambda sku: connection.HelloRequest(
        protocol_min=1, protocol_max=2, client="wire test"),
    "Connection/Ping": lambda sku: connection.PingRequest(),
    "Connection/Cancel": lambda sku: connection.CancelCallRequest(call_id=1_000_000),
    "Connection/Credit": lambda sku: connection.CreditRequest(call_id=1_000_000, bytes=1),
}

ALL = STORED | STREAMED | IMMEDIATE | CONTROL
