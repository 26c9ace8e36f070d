"""Which server: connections come and go."""

import time
from typing import Optional, Sequence

from . import errors
from .connection import Connection, Lost, parse_address
from .options import Options
from .retry import dial_pause_s


class Servers:
    """Servers of one shop, and a connection with one of them.  Not for more than one thread."""

    def __init__(self, addresses: Sequence[str], options: Options) -> None:
        """Raises ValueError when an address is none."""
        if not addresses:
            raise ValueError("a client needs the address of a server")
        self.addresses = addresses
        self.options = options
        self.connection: Optional[Connection] = None
        self.is_closed = False
        self._parsed = [parse_address(address) for address in addresses]
        self._at = 0
        self._failed_dials = 0
        self._next_dial = 0.0
        self._was_connected = False

    def another(self) -> "Servers":
        """The same servers, for a connection of one's own."""
        return Servers(self.addresses, self.options)

    def connected(self, deadline: float) -> Connection:
        """A connection that takes calls: the one that there is, or a new one.  Raises UNREACHABLE."""
        if self.connection is not None:
            try:
                self.connection.look()
            except (Lost, OSError):
                self.drop()
            if self.connection is not None and self.connection.is_leaving:
                self.drop()
        return self.connection or self._dial(deadline)

    def drop(self) -> None:
        """Closes the connection; what had no answer on it is lost."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def leave(self) -> None:
        """Goes to another server, if there is one."""
        if len(self._parsed) > 1:
            self.drop()
            self._at = (self._at + 1) % len(self._parsed)

    def dial_pause_s(self, left_s: float) -> Optional[float]:
        """After UNREACHABLE: the pause before the next attempt, in seconds; None: there is none in time."""
        wait_s = max(self._next_dial - time.monotonic(), 0)
        may_wait = self.options.waits_for_server or self._was_connected
        untried = self._failed_dials % len(self._parsed) != 0
        return wait_s if (may_wait or untried) and wait_s < left_s else None

    def _dial(self, deadline: float) -> Connection:
        """The next server is tried at once; when all have been tried, after a pause."""
        limit_s = min(self.options.connect_timeout_s, deadline - time.monotonic())
        if limit_s <= 0:
            raise errors.unreachable("no connection could be made in time")
        try:
            self.connection = Connection(
                self._parsed[self._at], self.options.name, limit_s, self.options.keepalive_s)
        except OSError as error:
            self.dial_failed()
            raise errors.unreachable(error.strerror or error) from None
        self._was_connected = True
        return self.connection

    def answered(self) -> None:
        """The server has taken the connection."""
        self._failed_dials = 0

    def dial_failed(self) -> None:
        """No connection was made, or the server did not take it."""
        self._at = (self._at + 1) % len(self._parsed)
        self._failed_dials += 1
        if self._failed_dials % len(self._parsed) == 0:
            rounds = self._failed_dials // len(self._parsed)
            self._next_dial = time.monotonic() + dial_pause_s(rounds)
