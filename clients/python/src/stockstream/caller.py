"""How a call is made, and made again."""

import copy
import threading
import time
from types import TracebackType
from typing import Mapping, Optional, Type, TypeVar

from google.protobuf.message import DecodeError, Message

from . import errors
from ._contracts import connection_pb2, envelope_pb2, health_pb2
from .connection import Lost
from .options import Options
from .results import Health
from .retry import RetryBudget
from .servers import Servers

TIMEOUT_S_MAX = 60.0
NEVER_SENT = ("UNREACHABLE", "DEADLINE", "CLIENT_CLOSED", "TOO_LARGE")
_Reply = TypeVar("_Reply", bound=Message)
_Self = TypeVar("_Self", bound="Caller")


class Caller:
    """What every client does: it keeps a connection, makes calls, and makes them again."""

    def __init__(self, *addresses: str, options: Options = Options()) -> None:
        """addresses: "host:port", "[v6 address]:port" or "unix:/path"."""
        self._servers = Servers(addresses, options)
        self._options = options
        self._lock = threading.Lock()
        self._budget = RetryBudget()
        self._metadata: Mapping[str, str] = {}

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; later calls fail with CLIENT_CLOSED.  Streams go on."""
        with self._lock:
            self._servers.is_closed = True
            self._servers.drop()

    def with_metadata(self: _Self, metadata: Mapping[str, str]) -> _Self:
        """This client, with its connection, for calls and streams that carry headers: at most 32.

        "traceparent" (W3C) goes with a change into its event; "x-request-id" stands in the server's log
        beside a failure.  Repeats carry them, too.
        """
        with_it = copy.copy(self)
        with_it._metadata = dict(metadata)
        return with_it

    def health(self, service: str = "", *, timeout_s: Optional[float] = None) -> Health:
        """Whether to send work there: to the server as a whole, or to one service of it."""
        request = health_pb2.HealthCheckRequest(service=service)
        return Health._of(self._call("Health/Check", request, health_pb2.HealthCheckReply, timeout_s))

    def ping(self, *, timeout_s: Optional[float] = None) -> None:
        """Returns when the process at the other end turns."""
        self._call("Connection/Ping", connection_pb2.PingRequest(), connection_pb2.PingReply, timeout_s)

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
            response = connection.call(
                method, request, deadline, self._metadata,
                sends_deadline_at=self._options.sends_deadline_at)
        except Lost as why:
            self._servers.drop()
            if connection.turned_away is not None:
                self._servers.dial_failed()
                raise errors.unreachable(why) from None
            if connection.protocol_refusal is not None:
                raise errors.fault(errors.Code.FAILED_PRECONDITION, "PROTOCOL_UNSUPPORTED",
                                   f"The server cannot be used: {why}.") from None
            raise errors.connection_lost(why) from None
        self._servers.answered()
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
