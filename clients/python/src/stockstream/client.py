"""The client: the calls, and what is done when one fails."""

import copy
import datetime
import threading
import time
from types import TracebackType
from typing import List, Mapping, Optional, Sequence, Type, TypeVar, Union

from google.protobuf.message import DecodeError, Message

from . import errors
from ._contracts import connection_pb2, envelope_pb2, feed_pb2, health_pb2, reservations_pb2, stock_pb2
from .connection import Lost
from .options import Options
from .results import (
    Acknowledge, FollowItem, Health, Hold, HoldResult, Outcome, Reservation, Reserved, StockLevel,
    StockResult, StockUpdate, _member)
from .retry import RetryBudget
from .servers import Servers
from .stream import Stream

TIMEOUT_S_MAX = 60.0
NEVER_SENT = ("UNREACHABLE", "DEADLINE", "CLIENT_CLOSED", "TOO_LARGE")
_Reply = TypeVar("_Reply", bound=Message)


class StockClient:
    """Calls servers of one shop; when one is away, the next is tried.

    It connects with its first call, and again whenever the connection has died.  A call that failed in a way
    that another attempt may cure, or whose outcome is unknown, is made again, unchanged, until its timeout.
    Calls of several threads take turns; threads that want to call at once take a client each.
    """

    def __init__(self, *addresses: str, options: Options = Options()) -> None:
        """addresses: "host:port", "[v6 address]:port" or "unix:/path"."""
        self._servers = Servers(addresses, options)
        self._options = options
        self._lock = threading.Lock()
        self._budget = RetryBudget()
        self._metadata: Mapping[str, str] = {}

    def __enter__(self) -> "StockClient":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; later calls fail with CLIENT_CLOSED.  Streams go on."""
        with self._lock:
            self._servers.is_closed = True
            self._servers.drop()

    def with_metadata(self, metadata: Mapping[str, str]) -> "StockClient":
        """This client, with its connection, for calls and streams that carry headers: at most 32.

        "traceparent" (W3C) goes with a change into its event; "x-request-id" stands in the server's log
        beside a failure.  Repeats carry them, too.
        """
        with_it = copy.copy(self)
        with_it._metadata = dict(metadata)
        return with_it

    # Calls.  Each takes `timeout_s` and raises StockError.

    def reserve(self, sku: str, *, user_id: str, key: str, qty: int = 1, ttl_ms: int = 0,
                acknowledge: Acknowledge = Acknowledge.DEFAULT,
                timeout_s: Optional[float] = None) -> Reserved:
        """Takes units of a SKU for a user until a deadline.  key: the same for every repeat of an order."""
        request = Reservation(sku, user_id, key, qty, ttl_ms)._request()
        request.acknowledge = int(acknowledge)  # type: ignore[assignment]
        return Reserved._of(self._call(
            "Reservations/Reserve", request, reservations_pb2.ReserveReply, timeout_s))

    def reserve_batch(self, items: Sequence[Reservation], *,
                      acknowledge: Acknowledge = Acknowledge.DEFAULT,
                      timeout_s: Optional[float] = None) -> List[Union[Reserved, errors.StockError]]:
        """Up to 4,096 reservations in one frame, each as if it had come alone; results in their order."""
        request = reservations_pb2.BatchReserveRequest(
            items=[item._request() for item in items],
            acknowledge=int(acknowledge))  # type: ignore[arg-type]
        reply = self._call(
            "Reservations/BatchReserve", request, reservations_pb2.BatchReserveReply, timeout_s)
        if len(reply.results) != len(items):
            raise errors.malformed_reply()
        return [Reserved._of(result.reply) if result.status == envelope_pb2.CODE_OK else errors.said(result)
                for result in reply.results]

    def confirm(self, hold_id: str, payment_ref: str, *, acknowledge: Acknowledge = Acknowledge.DEFAULT,
                timeout_s: Optional[float] = None) -> HoldResult:
        """Turns a hold into an order.  With the same payment_ref it can be repeated."""
        request = reservations_pb2.ConfirmRequest(
            hold_id=hold_id, payment_ref=payment_ref,
            acknowledge=int(acknowledge))  # type: ignore[arg-type]
        return _changed(self._call("Reservations/Confirm", request, reservations_pb2.ConfirmReply, timeout_s))

    def cancel(self, hold_id: str, *, acknowledge: Acknowledge = Acknowledge.DEFAULT,
               timeout_s: Optional[float] = None) -> HoldResult:
        """Gives the units of a hold back."""
        request = reservations_pb2.CancelRequest(
            hold_id=hold_id, acknowledge=int(acknowledge))  # type: ignore[arg-type]
        return _changed(self._call("Reservations/Cancel", request, reservations_pb2.CancelReply, timeout_s))

    def extend(self, hold_id: str, expires_at: datetime.datetime, *,
               acknowledge: Acknowledge = Acknowledge.DEFAULT,
               timeout_s: Optional[float] = None) -> HoldResult:
        """Gives a hold a later deadline; an earlier one changes nothing.

        At most 10 times, and up to 7 days after the hold was made.  expires_at: a time, not a duration, so
        that a repeat adds nothing.
        """
        request = reservations_pb2.ExtendRequest(
            hold_id=hold_id, expires_at=round(expires_at.timestamp() * 1000),
            acknowledge=int(acknowledge))  # type: ignore[arg-type]
        return _changed(self._call("Reservations/Extend", request, reservations_pb2.ExtendReply, timeout_s))

    def get_hold(self, hold_id: str, *, timeout_s: Optional[float] = None) -> HoldResult:
        """One hold, by its id."""
        request = reservations_pb2.GetHoldRequest(hold_id=hold_id)
        return _hold(self._call("Reservations/GetHold", request, reservations_pb2.GetHoldReply, timeout_s))

    def find_hold(self, *, user_id: str, key: str, timeout_s: Optional[float] = None) -> HoldResult:
        """The hold that this user made with this key."""
        request = reservations_pb2.GetHoldRequest(user_id=user_id, idempotency_key=key)
        return _hold(self._call("Reservations/GetHold", request, reservations_pb2.GetHoldReply, timeout_s))

    def set_stock(self, sku: str, available: int, *, request_id: str,
                  timeout_s: Optional[float] = None) -> StockResult:
        """Sets the units available.  request_id: new for every change, the same for a repeat."""
        request = stock_pb2.SetStockRequest(sku=sku, available=available, request_id=request_id)
        return _stock(self._call("Stock/Set", request, stock_pb2.SetStockReply, timeout_s))

    def adjust_stock(self, sku: str, delta: int, *, request_id: str, reason: str = "", actor: str = "",
                     timeout_s: Optional[float] = None) -> StockResult:
        """Adds to the units available, or takes some away, never more than there are.

        request_id: as in `set_stock`.  reason, actor: why, and who asks for it, for the event and the books.
        """
        request = stock_pb2.AdjustStockRequest(
            sku=sku, delta=delta, request_id=request_id, reason=reason, actor=actor)
        return _stock(self._call("Stock/Adjust", request, stock_pb2.AdjustStockReply, timeout_s))

    def get_stock(self, sku: str, *, timeout_s: Optional[float] = None) -> StockResult:
        """The figures of one SKU."""
        request = stock_pb2.GetStockRequest(sku=sku)
        return _stock(self._call("Stock/Get", request, stock_pb2.GetStockReply, timeout_s))

    def health(self, service: str = "", *, timeout_s: Optional[float] = None) -> Health:
        """Whether to send work there: to the server as a whole, or to one service of it."""
        request = health_pb2.HealthCheckRequest(service=service)
        return Health._of(self._call("Health/Check", request, health_pb2.HealthCheckReply, timeout_s))

    def ping(self, *, timeout_s: Optional[float] = None) -> None:
        """Returns when the process at the other end turns."""
        self._call("Connection/Ping", connection_pb2.PingRequest(), connection_pb2.PingReply, timeout_s)

    # Streams.  Each has a connection of its own.

    def watch(self, *skus: str, after: str = "") -> Stream[StockUpdate]:
        """The figures of 1 to 256 SKUs, each once, and again whenever they have changed.

        Not each change: who is slow gets what is true by then.  after: a token for the same SKUs; nothing
        comes while nothing differs.
        """
        request = stock_pb2.WatchStockRequest(skus=skus, after=after)
        return Stream(
            self._servers.another(), "stock.v1.Stock/Watch", request, StockUpdate._of, self._metadata)

    def follow(self, *, after: str = "", from_earliest: bool = False, event_types: Sequence[str] = (),
               skus: Sequence[str] = ()) -> Stream[FollowItem]:
        """Every event at least once, those of one hold or SKU in their order.

        after: a token; without one it begins with what comes from now on, or `from_earliest`.
        event_types, skus: only these; at most 16 and 256.
        """
        request = feed_pb2.FollowRequest(
            after=after, from_earliest=from_earliest, event_types=event_types, skus=skus)
        return Stream(
            self._servers.another(), "stock.v1.Events/Follow", request, FollowItem._of, self._metadata)

    # How a call is made, and made again.

    def _call(self, method: str, request: Message, reply_type: Type[_Reply],
              timeout_s: Optional[float]) -> _Reply:
        wanted_s = self._options.timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + min(max(wanted_s, 0.001), TIMEOUT_S_MAX)
        attempts, may_have_happened = 0, False
        with self._lock:
            while True:
                try:
                    reply = self._attempt("stock.v1." + method, request, reply_type, deadline)
                    self._budget.earn()
                    return reply
                except errors.StockError as error:
                    is_dial = error.reason == "UNREACHABLE"
                    attempts += 0 if error.reason in NEVER_SENT else 1
                    may_have_happened = may_have_happened or error.outcome_unknown
                    pause_s = self._pause_s(error, is_dial, attempts, deadline - time.monotonic())
                    if pause_s is None:
                        error.outcome_unknown = may_have_happened
                        error.attempts = attempts
                        raise
                time.sleep(pause_s)

    def _pause_s(self, error: errors.StockError, is_dial: bool, attempts: int,
                 left_s: float) -> Optional[float]:
        if is_dial:
            return self._servers.dial_pause_s(left_s)
        pause_s = self._options.retry.pause_s(error, max(attempts, 1), left_s)
        return pause_s if pause_s is not None and self._budget.spend() else None

    def _attempt(self, method: str, request: Message, reply_type: Type[_Reply], deadline: float) -> _Reply:
        if self._servers.is_closed:
            raise errors.fault(errors.Code.CANCELLED, "CLIENT_CLOSED", "The client has been closed.")
        connection = self._servers.connected(deadline)
        if deadline - time.monotonic() < 0.001:
            raise errors.deadline_passed()
        try:
            response = connection.call(method, request, deadline, self._metadata)
        except Lost as why:
            self._servers.drop()
            if connection.protocol_refusal is not None:
                raise errors.fault(errors.Code.FAILED_PRECONDITION, "PROTOCOL_UNSUPPORTED",
                                   f"The server cannot be used: {why}.") from None
            raise errors.connection_lost(why) from None
        if connection.is_leaving or response.detail.reason == "SHUTTING_DOWN":
            self._servers.drop()
        if response.status != envelope_pb2.CODE_OK:
            if response.status == envelope_pb2.CODE_UNAVAILABLE:
                self._servers.leave()
            raise errors.said(response)
        try:
            return reply_type.FromString(response.message)
        except DecodeError:
            raise errors.malformed_reply() from None


def _hold(reply: reservations_pb2.GetHoldReply) -> HoldResult:
    return HoldResult(
        _member(Outcome, reply.outcome), Hold._of(reply.hold) if reply.HasField("hold") else None)


def _changed(reply: Union[reservations_pb2.ConfirmReply, reservations_pb2.CancelReply,
                          reservations_pb2.ExtendReply]) -> HoldResult:
    return HoldResult(
        _member(Outcome, reply.outcome), Hold._of(reply.hold) if reply.HasField("hold") else None,
        _member(Acknowledge, reply.acknowledged))


def _stock(reply: Union[stock_pb2.SetStockReply, stock_pb2.AdjustStockReply,
                        stock_pb2.GetStockReply]) -> StockResult:
    return StockResult(
        _member(Outcome, reply.outcome), StockLevel._of(reply.stock) if reply.HasField("stock") else None)
