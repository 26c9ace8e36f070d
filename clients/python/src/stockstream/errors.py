"""What can go wrong, as exceptions."""

import enum
from typing import Dict, Type, Union

from ._contracts import envelope_pb2, reservations_pb2


class Code(enum.IntEnum):
    """The status of a call: gRPC's codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @classmethod
    def _missing_(cls, value: object) -> "Code":
        return cls.UNKNOWN  # of a newer server


class StockError(Exception):
    """A call that the service did not carry out, or of which nobody knows.

    `reason` is one word for the program (the table in WIRE.md, and UNREACHABLE, CONNECTION_LOST, NO_ANSWER,
    DEADLINE, MALFORMED_REPLY, TOO_LARGE, CLIENT_CLOSED, which are made here), `message` a sentence for a
    person, `field` the field at fault.  With `outcome_unknown` the call may have happened: make it again,
    unchanged, to learn.
    """

    def __init__(self, code: Code, reason: str, message: str, *, field: str = "", retryable: bool = False,
                 retry_after_ms: int = 0, outcome_unknown: bool = False) -> None:
        super().__init__(f"{reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.field = field
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms
        self.outcome_unknown = outcome_unknown
        self.attempts = 0
        """Attempts that were sent, the last included."""

    def is_curable(self) -> bool:
        """Whether another attempt may succeed, or tells what became of this one."""
        return self.retryable or self.outcome_unknown


class InvalidRequest(StockError):
    """A field is outside its range, or the call is larger than a frame: correct the call."""


class Conflict(StockError):
    """The key, the payment reference or the request id was used for something else."""


class Overloaded(StockError):
    """The server or its store has too much to do."""


class Unavailable(StockError):
    """The server, its store or the way to it is gone."""


class DeadlineExceeded(StockError):
    """The timeout passed."""


_CLASSES: Dict[Code, Type[StockError]] = {
    Code.INVALID_ARGUMENT: InvalidRequest,
    Code.ALREADY_EXISTS: Conflict,
    Code.RESOURCE_EXHAUSTED: Overloaded,
    Code.UNAVAILABLE: Unavailable,
    Code.DEADLINE_EXCEEDED: DeadlineExceeded,
}


def fault(code: Code, reason: str, message: str, *, field: str = "", retryable: bool = False,
          retry_after_ms: int = 0, outcome_unknown: bool = False) -> StockError:
    """The exception for a status."""
    return _CLASSES.get(code, StockError)(
        code, reason, message, field=field, retryable=retryable, retry_after_ms=retry_after_ms,
        outcome_unknown=outcome_unknown)


def said(by: Union[envelope_pb2.Response, reservations_pb2.ReserveResult]) -> StockError:
    """The exception for what the server said of a call, or of an item of one."""
    detail = by.detail
    return fault(
        Code(by.status), detail.reason, detail.message, field=detail.field, retryable=detail.retryable,
        retry_after_ms=detail.retry_after_ms, outcome_unknown=detail.outcome_unknown)


def unreachable(why: object) -> StockError:
    """Nobody answers at the address: the call was not sent."""
    return fault(Code.UNAVAILABLE, "UNREACHABLE", f"The server cannot be reached: {why}.", retryable=True)


def connection_lost(why: object) -> StockError:
    """The connection died before the answer."""
    return fault(Code.UNAVAILABLE, "CONNECTION_LOST", f"The connection was lost: {why}.", retryable=True,
                 outcome_unknown=True)


def no_answer() -> StockError:
    """The server did not even say that the deadline had passed."""
    return fault(Code.DEADLINE_EXCEEDED, "NO_ANSWER", "The server did not answer in time.", retryable=True,
                 outcome_unknown=True)


def deadline_passed() -> StockError:
    """There was no time left to send the call."""
    return fault(Code.DEADLINE_EXCEEDED, "DEADLINE", "The timeout passed before the call could be sent.",
                 retryable=True)


def malformed_reply() -> StockError:
    """The reply is not what the method promises."""
    return fault(Code.INTERNAL, "MALFORMED_REPLY", "The reply is not the method's message.",
                 outcome_unknown=True)


def malformed_item() -> StockError:
    """An item is not what the stream promises."""
    return fault(Code.INTERNAL, "MALFORMED_REPLY", "An item of the stream is not the method's message.")
