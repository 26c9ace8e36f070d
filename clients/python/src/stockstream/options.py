"""What the user may set."""

from dataclasses import dataclass

from .retry import RetryPolicy


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
    window_bytes: int = 65_536
    """Of items that a stream may have on the way: 1 to 1,048,576."""
    sends_deadline_at: bool = False
    """Whether each call says until when it is waited for, in milliseconds since 1970 by this machine's clock:
    a frame that reaches the server after that time does nothing, however late.  Streams have no such time.

    The server judges it by its own clock, so both must be kept in step, to well within the timeouts of the
    calls.  While this one is behind, calls have that much less time, and fail with DEADLINE when that is more
    than their timeout; while it is ahead, frames count for that much longer.  A server that does not know the
    field ignores it."""
