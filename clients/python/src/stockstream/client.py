"""The client: the calls, and what is done when one fails."""

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import List, Optional, Sequence, Type, TypeVar, Union

from google.protobuf.message import DecodeError, Message

from . import errors
from ._contracts import connection_pb2, envelope_pb2, health_pb2, reservations_pb2, stock_pb2
from .connection import Connection, Lost, parse_address
from .results import (
    Acknowledge, Health, Hold, HoldResult, Outcome, Reservation, Reserved, StockLevel, StockResult, _member)
from .retry import RetryBudget, RetryPolicy, dial_pause_s

TIMEOUT_S_MAX = 60.0
NEVER_SENT = ("UNREACHABLE", "DEADLINE", "CLIENT_CLOSED", "TOO_LARGE")
_Reply = TypeVar("_Reply", bound=Message)


@dataclass(frozen=True)
class Options:
    """What the user may set."""

    name: str = "stockstream-python/0.1.0"
    """What the server calls this client in its log."""
    timeout_s: float = 5.0
    """Of a call that names none: for everything, pauses and repeats too.  At most 60."""
    connect_timeout_s: float = 2.0
    """Of one attempt at one address."""
    keepalive_s: float = 10.0
    """A server that owes an answer and is silent for so long is asked whether it lives, and given up after
    as long again."""
    retry: RetryPolicy = RetryPolicy()
    waits_for_server: bool = True
    """Whether calls wait for a server that has never been there."""


class StockClient:
    """Calls servers of one shop; when one is away, the next is tried.

    It connects with its first call, and again whenever the connection has died.  A call that failed in a way
    that another attempt may cure, or whose outcome is unknown, is made again, unchanged, until its timeout.
    Calls of several threads take turns; threads that want to call at once take a client each.
    """

    def __init__(self, *addresses: str, options: Options = Options()) -> None:
        """addresses: "host:port", "[v6 address]:port" or "unix:/path"."""
        if not addresses:
            raise ValueError("a client needs the address of a server")
        self._addresses = [parse_address(address) for address in addresses]
        self._options = options
        self._lock = threading.Lock()
        self._connection: Optional[Connection] = None
        self._budget = RetryBudget()
        self._at = 0
        self._failed_dials = 0
        self._next_dial = 0.0
        self._was_connected = False
        self._is_closed = False

    def __enter__(self) -> "StockClient":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; later calls fail with CLIENT_CLOSED."""
        with self._lock:
            self._is_closed = True
            self._drop()

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
        return [Reserved._of(result.reply) if result.status == envelope_pb2.CODE_OK else _fault(result)
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
            wait_s = max(self._next_dial - time.monotonic(), 0)
            may_wait = self._options.waits_for_server or self._was_connected
            untried = self._failed_dials % len(self._addresses) != 0
            return wait_s if (may_wait or untried) and wait_s < left_s else None
        pause_s = self._options.retry.pause_s(error, max(attempts, 1), left_s)
        return pause_s if pause_s is not None and self._budget.spend() else None

    def _attempt(self, method: str, request: Message, reply_type: Type[_Reply], deadline: float) -> _Reply:
        connection = self._connected(deadline)
        if deadline - time.monotonic() < 0.001:
            raise errors.deadline_passed()
        try:
            response = connection.call(method, request, deadline)
        except Lost as why:
            self._drop()
            if connection.protocol_refusal is not None:
                raise errors.fault(errors.Code.FAILED_PRECONDITION, "PROTOCOL_UNSUPPORTED",
                                   f"The server cannot be used: {why}.") from None
            raise errors.connection_lost(why) from None
        if connection.is_leaving or response.detail.reason == "SHUTTING_DOWN":
            self._drop()
        if response.status != envelope_pb2.CODE_OK:
            if response.status == envelope_pb2.CODE_UNAVAILABLE and len(self._addresses) > 1:
                self._drop()
                self._at = (self._at + 1) % len(self._addresses)
            raise _fault(response)
        try:
            return reply_type.FromString(response.message)
        except DecodeError:
            raise errors.malformed_reply() from None

    def _connected(self, deadline: float) -> Connection:
        if self._is_closed:
            raise errors.fault(errors.Code.CANCELLED, "CLIENT_CLOSED", "The client has been closed.")
        if self._connection is not None:
            try:
                self._connection.look()
            except (Lost, OSError):
                self._drop()
            if self._connection is not None and self._connection.is_leaving:
                self._drop()
        return self._connection or self._dial(deadline)

    def _dial(self, deadline: float) -> Connection:
        """The next server is tried at once; when all have been tried, after a pause."""
        limit_s = min(self._options.connect_timeout_s, deadline - time.monotonic())
        if limit_s <= 0:
            raise errors.unreachable("no connection could be made in time")
        try:
            self._connection = Connection(
                self._addresses[self._at], self._options.name, limit_s, self._options.keepalive_s)
        except OSError as error:
            self._at = (self._at + 1) % len(self._addresses)
            self._failed_dials += 1
            if self._failed_dials % len(self._addresses) == 0:
                rounds = self._failed_dials // len(self._addresses)
                self._next_dial = time.monotonic() + dial_pause_s(rounds)
            raise errors.unreachable(error.strerror or error) from None
        self._failed_dials = 0
        self._was_connected = True
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _fault(said: Union[envelope_pb2.Response, reservations_pb2.ReserveResult]) -> errors.StockError:
    detail = said.detail
    return errors.fault(
        errors.Code(said.status), detail.reason, detail.message, field=detail.field,
        retryable=detail.retryable, retry_after_ms=detail.retry_after_ms,
        outcome_unknown=detail.outcome_unknown)


def _hold(reply: reservations_pb2.GetHoldReply) -> HoldResult:
    return HoldResult(
        _member(Outcome, reply.outcome), Hold._of(reply.hold) if reply.HasField("hold") else None)


def _changed(reply: Union[reservations_pb2.ConfirmReply, reservations_pb2.CancelReply]) -> HoldResult:
    return HoldResult(
        _member(Outcome, reply.outcome), Hold._of(reply.hold) if reply.HasField("hold") else None,
        _member(Acknowledge, reply.acknowledged))


def _stock(reply: Union[stock_pb2.SetStockReply, stock_pb2.GetStockReply]) -> StockResult:
    return StockResult(
        _member(Outcome, reply.outcome), StockLevel._of(reply.stock) if reply.HasField("stock") else None)
