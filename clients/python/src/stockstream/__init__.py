"""A client of StockStream: reserves, confirms and cancels limited stock.

    from stockstream import StockClient

    with StockClient("127.0.0.1:7420") as shop:
        reserved = shop.reserve("iphone_15_pro_256", user_id="ada", key="order-1")

A decision of the shop (sold out, expired) is an `Outcome` in the result; a fault is a `StockError`.
"""

from .client import StockClient
from .errors import (
    Code,
    Conflict,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    StockError,
    Unavailable,
)
from .options import Options
from .pages import Pages
from .records import HoldHistory, HoldRecord, Movement, RecordsClient
from .results import (
    Acknowledge,
    Event,
    FollowItem,
    Health,
    Hold,
    HoldResult,
    HoldStatus,
    Outcome,
    Reservation,
    Reserved,
    Serving,
    StockLevel,
    StockListing,
    StockResult,
    StockUpdate,
)
from .retry import RetryPolicy
from .stream import Stream

__all__ = [
    "Acknowledge", "Code", "Conflict", "DeadlineExceeded", "Event", "FollowItem", "Health", "Hold",
    "HoldHistory", "HoldRecord", "HoldResult", "HoldStatus", "InvalidRequest", "Movement", "Options",
    "Outcome", "Overloaded", "Pages", "RecordsClient", "Reservation", "Reserved", "RetryPolicy",
    "Serving", "StockClient", "StockError", "StockLevel", "StockListing", "StockResult", "StockUpdate",
    "Stream", "Unavailable",
]
