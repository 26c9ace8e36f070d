"""What the service answers, as values."""

import datetime
import enum
from dataclasses import dataclass
from typing import Optional, Tuple, Type, TypeVar, Union

from ._contracts import events_pb2, feed_pb2, health_pb2, reservations_pb2, stock_pb2


class Outcome(enum.IntEnum):
    """What the shop decided.  None of these is a fault."""

    UNRECOGNIZED = -1
    """Of a newer server."""
    UNSPECIFIED = 0
    HELD = 1
    REPEATED = 2
    """This very call was done before; nothing has changed now."""
    SOLD_OUT = 3
    UNKNOWN_SKU = 4
    CONFIRMED = 5
    CANCELLED = 6
    EXPIRED = 7
    NO_SUCH_HOLD = 8
    FOUND = 9
    STOCK_SET = 10
    STOCK_ADOPTED = 11
    ALREADY_CONFIRMED = 12
    ALREADY_CANCELLED = 13
    STOCK_ADJUSTED = 14
    TOO_FEW_AVAILABLE = 15
    """Fewer units are available than `adjust_stock` would take away."""
    AVAILABLE_DIFFERS = 16
    """Not so many units are available as `set_stock` was told to expect."""
    STOCK_RETIRED = 17
    NOT_FOR_SALE = 18
    """The SKU is retired: no new holds begin."""
    EXTENDED = 19
    EXTENDED_TOO_OFTEN = 20


class HoldStatus(enum.IntEnum):
    """Where a hold is in its life."""

    UNRECOGNIZED = -1
    UNSPECIFIED = 0
    ACTIVE = 1
    CONFIRMED = 2
    CANCELLED = 3
    EXPIRED = 4


class Acknowledge(enum.IntEnum):
    """What must have happened to a change before its caller hears of it: WIRE.md, "Acknowledgement"."""

    UNRECOGNIZED = -1
    DEFAULT = 0
    """The server's setting: FSYNC, unless it was set otherwise."""
    MEMORY = 1
    FSYNC = 2
    REPLICA = 3
    LEDGER = 4


class Serving(enum.IntEnum):
    """Whether to send work to a server."""

    UNRECOGNIZED = -1
    UNSPECIFIED = 0
    SERVING = 1
    DEGRADED = 2
    """Selling, but weaker than promised: see the warnings."""
    NOT_SERVING = 3


_Enum = TypeVar("_Enum", bound=enum.IntEnum)


def _member(of: Type[_Enum], value: int) -> _Enum:
    try:
        return of(value)
    except ValueError:
        return of(-1)


def _time(ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)


@dataclass(frozen=True)
class Reservation:
    """What is to be held: `qty` units, under a key of the user's that is the same for every repeat."""

    sku: str
    user_id: str
    key: str
    qty: int = 1
    ttl_ms: int = 0
    """Life of the hold; 0: the server's default."""

    def _request(self) -> reservations_pb2.ReserveRequest:
        return reservations_pb2.ReserveRequest(
            sku=self.sku, qty=self.qty, user_id=self.user_id, idempotency_key=self.key, ttl_ms=self.ttl_ms)


@dataclass(frozen=True)
class Reserved:
    """HELD and REPEATED have a hold; SOLD_OUT and UNKNOWN_SKU have none."""

    outcome: Outcome
    available: int
    """Units left after this call."""
    hold_id: str
    status: HoldStatus
    expires_at: Optional[datetime.datetime]
    acknowledged: Acknowledge
    """What was reached, when the call named a level, or when it is less than was promised; else DEFAULT.
    Less is held all the same: make the call again to know more."""

    @property
    def is_held(self) -> bool:
        """Whether there is a hold: HELD or REPEATED."""
        return self.outcome in (Outcome.HELD, Outcome.REPEATED)

    @classmethod
    def _of(cls, reply: reservations_pb2.ReserveReply) -> "Reserved":
        return cls(_member(Outcome, reply.outcome), reply.available, reply.hold_id,
                   _member(HoldStatus, reply.status), _time(reply.expires_at) if reply.expires_at else None,
                   _member(Acknowledge, reply.acknowledged))


@dataclass(frozen=True)
class Hold:
    """A hold as it is now.  Times are the store's.

    Of a hold that ended more than a minute ago sku, user_id, key and payment_ref may be empty, and qty 0: the
    store remembers it in short, and the books have the rest (`RecordsClient.hold_history`).
    """

    hold_id: str
    status: HoldStatus
    sku: str
    qty: int
    user_id: str
    key: str
    created_at: datetime.datetime
    expires_at: datetime.datetime
    changed_at: datetime.datetime
    version: int
    payment_ref: str
    """Of a confirmed hold, as is the order id."""
    order_id: str

    @classmethod
    def _of(cls, hold: reservations_pb2.Hold) -> "Hold":
        return cls(hold.hold_id, _member(HoldStatus, hold.status), hold.sku, hold.qty, hold.user_id,
                   hold.idempotency_key, _time(hold.created_at), _time(hold.expires_at),
                   _time(hold.changed_at), hold.version, hold.payment_ref, hold.order_id)

    @classmethod
    def _of_event(cls, event_id: str, event: events_pb2.HoldEvent) -> "Hold":
        line = event.lines[0] if event.lines else events_pb2.HoldLine()
        return cls(event_id.rpartition("/")[0], _member(HoldStatus, event.status), line.sku, line.qty,
                   event.user_id, event.idempotency_key, _time(event.created_at), _time(event.expires_at),
                   _time(event.changed_at), event.version, event.payment_ref, "")


@dataclass(frozen=True)
class HoldResult:
    """What became of a call about a hold."""

    outcome: Outcome
    hold: Optional[Hold]
    """None: NO_SUCH_HOLD."""
    acknowledged: Acknowledge = Acknowledge.DEFAULT
    """Of a change: as in `Reserved`."""


@dataclass(frozen=True)
class StockLevel:
    """available + held + sold = supplied, always."""

    sku: str
    available: int
    held: int
    sold: int
    supplied: int
    version: int
    retired: bool
    """No new holds begin, until stock is set again."""

    @classmethod
    def _of(cls, level: Union[stock_pb2.StockLevel, events_pb2.StockEvent]) -> "StockLevel":
        return cls(level.sku, level.available, level.held, level.sold, level.supplied, level.version,
                   level.retired)


@dataclass(frozen=True)
class StockResult:
    """What became of a call about a SKU."""

    outcome: Outcome
    stock: Optional[StockLevel]
    """None: UNKNOWN_SKU."""


@dataclass(frozen=True)
class StockListing:
    """A SKU of `StockClient.list_stock`."""

    stock: StockLevel
    closed: bool
    """The figure in the store was changed by hand: nothing is sold until it is adopted."""

    @classmethod
    def _of(cls, listing: stock_pb2.StockListing) -> "StockListing":
        return cls(StockLevel._of(listing.stock), listing.closed)


@dataclass(frozen=True)
class StockUpdate:
    """An item of `StockClient.watch`: a SKU as it is now."""

    outcome: Outcome
    """FOUND, or UNKNOWN_SKU: nobody has set its stock yet."""
    stock: StockLevel
    closed: bool
    """The figure in the store was changed by hand: nothing is sold until it is adopted."""
    token: str
    """Stands for all updates up to this one."""

    @classmethod
    def _of(cls, message: bytes) -> "StockUpdate":
        update = stock_pb2.StockUpdate.FromString(message)
        return cls(
            _member(Outcome, update.outcome), StockLevel._of(update.stock), update.closed, update.token)


@dataclass(frozen=True)
class Event:
    """What has happened, with the state after it: events.proto."""

    type: str
    """HOLD_CREATED, ...; a newer server may send one that is not known here."""
    event_id: str
    """The same when an event comes again.  Empty: the server could not read the event."""
    time: datetime.datetime
    traceparent: str
    """Of the call behind it, if it sent one."""
    hold: Optional[Hold]
    """Of HOLD_..., without its order id."""
    stock: Optional[StockLevel]
    """Of STOCK_..."""
    delta: int
    """Of STOCK_...: how much `supplied` moved."""
    request_id: str
    """Of STOCK_SET, STOCK_ADJUSTED, STOCK_RETIRED."""
    actor: str
    """Who asked for it, and why, where somebody said so."""
    reason: str
    unread: bytes
    """What the server could not read, as it stands in the store."""

    @classmethod
    def _of(cls, item: feed_pb2.FollowItem) -> "Event":
        which = item.WhichOneof("event")
        stock, hold = item.stock, item.hold
        change: Union[events_pb2.StockEvent, events_pb2.HoldEvent] = stock if which == "stock" else hold
        who = change.correction if change.HasField("correction") else change
        return cls(
            item.event_type, item.event_id, _time(item.time), item.traceparent,
            Hold._of_event(item.event_id, hold) if which == "hold" else None,
            StockLevel._of(stock) if which == "stock" else None, stock.delta, stock.request_id,
            who.actor, who.reason, item.unread)


@dataclass(frozen=True)
class FollowItem:
    """An item of `StockClient.follow`."""

    token: str
    """Stands for all events up to this one."""
    event: Optional[Event]
    """None: the item only says how far the stream is, as the first one does."""

    @classmethod
    def _of(cls, message: bytes) -> "FollowItem":
        item = feed_pb2.FollowItem.FromString(message)
        return cls(item.token, Event._of(item) if item.event_type else None)


@dataclass(frozen=True)
class Health:
    """What a server says of itself."""

    serving: Serving
    warnings: Tuple[str, ...]
    version: str

    @classmethod
    def _of(cls, reply: health_pb2.HealthCheckReply) -> "Health":
        return cls(_member(Serving, reply.status), tuple(reply.warnings), reply.version)
