"""A client of StockStream: reserves, confirms and cancels limited stock.

    from stockstream import StockClient

    with StockClient("127.0.0.1:7420") as shop:
        reserved = shop.reserve("iphone_15_pro_256", user_id="ada", key="order-1")

A decision of the shop (sold out, expired) is an `Outcome` in the result; a fault is a `StockError`.
"""

from .client import Options, StockClient
from .errors import (
    Code,
    Conflict,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    StockError,
    Unavailable,
)
from .results import (
    Acknowledge,
    Health,
    Hold,
    HoldResult,
    HoldStatus,
    Outcome,
    Reservation,
    Reserved,
    Serving,
    StockLevel,
    StockResult,
)
from .retry import RetryPolicy

__all__ = [
    "Acknowledge", "Code", "Conflict", "DeadlineExceeded", "Health", "Hold", "HoldResult", "HoldStatus",
    "InvalidRequest", "Options", "Outcome", "Overloaded", "Reservation", "Reserved", "RetryPolicy", "Serving",
    "StockClient", "StockError", "StockLevel", "StockResult", "Unavailable",
]
