"""What the books say: the calls that a worker answers."""

import datetime
from dataclasses import dataclass
from typing import List, Optional, Tuple

from ._contracts import records_pb2
from .caller import Caller
from .pages import Pages
from .results import Hold, HoldStatus, _time


@dataclass(frozen=True)
class HoldRecord(Hold):
    """A hold as the books have it.

    ACTIVE: no later event is in the books; past its deadline it is expired whatever stands here.
    """

    stream_id: str
    """The entry of the stream that brought it to this state."""

    @classmethod
    def _read(cls, hold: records_pb2.HoldRecord) -> "HoldRecord":
        return cls(hold.hold_id, HoldStatus.__members__.get(hold.status, HoldStatus.UNRECOGNIZED), hold.sku,
                   hold.qty, hold.user_id, hold.idempotency_key, _time(hold.created_at),
                   _time(hold.expires_at), _time(hold.changed_at), hold.version, hold.payment_ref,
                   hold.order_id, hold.stream_id)


@dataclass(frozen=True)
class Movement:
    """What has moved the figures of a SKU."""

    event_id: str
    """<hold id>/<version>, or <sku>/<version>."""
    cause: str
    """The type of the event: HOLD_CREATED, ..."""
    sku: str
    hold_id: str
    """Of HOLD_..."""
    time: datetime.datetime
    stream_id: str
    """The entry of the stream that it came with."""
    available_delta: int
    """How the figures moved, as the next three."""
    held_delta: int
    sold_delta: int
    supplied_delta: int
    available: int
    """The figures after it, as the next three: of STOCK_..."""
    held: int
    sold: int
    supplied: int
    request_id: str
    """Of a change that was asked for."""
    actor: str
    """Who asked for it, and why, where somebody said so."""
    reason: str
    found: str
    """Of a correction: what differed."""

    @classmethod
    def _of(cls, movement: records_pb2.Movement) -> "Movement":
        one = movement
        return cls(one.event_id, one.cause, one.sku, one.hold_id, _time(one.time), one.stream_id,
                   one.available_delta, one.held_delta, one.sold_delta, one.supplied_delta, one.available,
                   one.held, one.sold, one.supplied, one.request_id, one.actor, one.reason, one.found)


@dataclass(frozen=True)
class HoldHistory:
    """The life of one hold."""

    hold: Optional[HoldRecord]
    """As it is now; None: the books have none."""
    movements: Tuple[Movement, ...]
    """By its versions."""


class RecordsClient(Caller):
    """Asks workers of one shop what the books say; made, and used, as a `StockClient` is.

    They are as far behind the sale as the worker is: milliseconds, as a rule.
    """

    def list_holds(self, *, user_id: str = "", sku: str = "", status: Optional[HoldStatus] = None,
                   created_from: Optional[datetime.datetime] = None,
                   created_until: Optional[datetime.datetime] = None, after: str = "", page_size: int = 0,
                   timeout_s: Optional[float] = None) -> Pages[HoldRecord]:
        """Holds, newest first.  All that is named must be true of a hold.

        created_from, created_until: made at this time or later, and before that one.
        page_size: holds, 1 to 200; 0: 50.  A page may have fewer, or none, though others follow: 10,000
        holds are looked at for one.  timeout_s: of each page.
        """
        def ask(after: str) -> Tuple[List[HoldRecord], str]:
            request = records_pb2.ListHoldsRequest(
                user_id=user_id, sku=sku, status="" if status is None else status.name,
                created_from=_milliseconds(created_from), created_until=_milliseconds(created_until),
                after=after, limit=page_size)
            reply = self._call("Records/ListHolds", request, records_pb2.ListHoldsReply, timeout_s)
            return [HoldRecord._read(hold) for hold in reply.holds], reply.next

        return Pages(ask, after)

    def stock_history(self, sku: str, *, stock_only: bool = False, after: str = "", page_size: int = 0,
                      timeout_s: Optional[float] = None) -> Pages[Movement]:
        """What has moved a SKU's figures, newest first.

        stock_only: without what holds have moved.  page_size: movements, 1 to 200; 0: 50.
        timeout_s: of each page.
        """
        def ask(after: str) -> Tuple[List[Movement], str]:
            request = records_pb2.HistoryRequest(
                sku=sku, stock_only=stock_only, after=after, limit=page_size)
            reply = self._call("Records/History", request, records_pb2.HistoryReply, timeout_s)
            return [Movement._of(movement) for movement in reply.movements], reply.next

        return Pages(ask, after)

    def hold_history(self, hold_id: str, *, timeout_s: Optional[float] = None) -> HoldHistory:
        """The life of one hold."""
        request = records_pb2.HistoryRequest(hold_id=hold_id)
        reply = self._call("Records/History", request, records_pb2.HistoryReply, timeout_s)
        return HoldHistory(HoldRecord._read(reply.hold) if reply.HasField("hold") else None,
                           tuple(Movement._of(movement) for movement in reply.movements))


def _milliseconds(time: Optional[datetime.datetime]) -> int:
    return 0 if time is None else round(time.timestamp() * 1000)
