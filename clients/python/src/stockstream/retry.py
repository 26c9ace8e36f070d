"""When a call is made again."""

import random
from dataclasses import dataclass
from typing import Optional

from .errors import StockError


@dataclass(frozen=True)
class RetryPolicy:
    """Every call can be repeated: it carries what makes a repeat find the work of the first."""

    attempts_max: int = 8
    """Attempts in all, the first included.  Waiting for a connection is not an attempt."""
    pause_ms_first: float = 20
    """The first pause is random up to this; each later one up to twice as long."""
    pause_ms_max: float = 2_000
    """No pause is longer, unless the server asks for more."""

    def pause_s(self, error: StockError, attempts: int, left_s: float) -> Optional[float]:
        """The pause before another attempt, in seconds; None: there is none."""
        if attempts >= self.attempts_max or not error.is_curable():
            return None
        ceiling_ms = min(self.pause_ms_max, self.pause_ms_first * 2 ** min(attempts - 1, 20))
        pause = (error.retry_after_ms + random.uniform(0, ceiling_ms)) / 1000
        return pause if pause < left_s else None


class RetryBudget:
    """Keeps repeats a small share of all calls, so that clients do not hold an overloaded server down: a
    repeat takes one, ten successes give one back."""

    TOKENS_MAX = 1_000

    def __init__(self) -> None:
        self._tenths = self.TOKENS_MAX * 10

    def earn(self) -> None:
        """After a success."""
        self._tenths = min(self._tenths + 1, self.TOKENS_MAX * 10)

    def spend(self) -> bool:
        """Whether there may be a repeat."""
        if self._tenths < 10:
            return False
        self._tenths -= 10
        return True


def dial_pause_s(rounds: int) -> float:
    """The pause before the servers are tried once more, when all have been tried `rounds` times."""
    ceiling_ms = min(1_000, 10 << min(rounds, 10))
    return random.uniform(ceiling_ms / 2, ceiling_ms) / 1000
