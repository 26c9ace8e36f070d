"""Calls with many answers."""

import asyncio
import threading
import time
from types import TracebackType
from typing import Callable, Generic, Mapping, Optional, Type, TypeVar, Union

from google.protobuf.message import DecodeError

from . import errors
from ._contracts import envelope_pb2, feed_pb2, stock_pb2
from .connection import Connection, Lost
from .results import FollowItem, StockUpdate
from .servers import Servers

ITEM_BYTES = 64
"""What an item takes of the window, beside its message."""
_Item = TypeVar("_Item", bound=Union[StockUpdate, FollowItem])
Request = Union[stock_pb2.WatchStockRequest, feed_pb2.FollowRequest]


class Stream(Generic[_Item]):
    """The items of a stream, one after the other: `for item in stream`, or `async for`.

    It has a connection of its own.  When that is lost or the server goes, it is made again after the last
    item that you have, for as long as it takes.  It ends when it is closed, by `with`, `async with` or
    `close`; with a `StockError` when another attempt would not help, such as TOKEN_TOO_OLD.  Items that are
    not read stay with the server.  Read by one thread or task at a time; any thread may close it.
    """

    def __init__(self, servers: Servers, method: str, request: Request, read: Callable[[bytes], _Item],
                 metadata: Mapping[str, str]) -> None:
        """Made by `StockClient.watch` and `StockClient.follow`."""
        self._servers = servers
        self._method = method
        self._request = request
        self._read = read
        self._metadata = metadata
        self._opened: Optional[Connection] = None
        self._call_id = 0
        self._read_bytes = 0
        self._failures = 0
        self._servers.answered()
        self._reading = threading.Lock()
        self._closed = threading.Event()

    @property
    def token(self) -> str:
        """Of the last item: where to begin the next time, with any server of the shop."""
        return self._request.after

    def __iter__(self) -> "Stream[_Item]":
        return self

    def __next__(self) -> _Item:
        item = self._next()
        if item is None:
            raise StopIteration
        return item

    def __aiter__(self) -> "Stream[_Item]":
        return self

    async def __anext__(self) -> _Item:
        """Waits in a thread of the loop's; who cancels it closes the stream, too."""
        item = await asyncio.get_running_loop().run_in_executor(None, self._next)
        if item is None:
            raise StopAsyncIteration
        return item

    def close(self) -> None:
        """Ends the stream; who waits for an item is told so."""
        self._closed.set()
        connection = self._servers.connection
        if connection is not None:
            connection.interrupt()
        with self._reading:
            self._servers.drop()

    def __enter__(self) -> "Stream[_Item]":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    async def __aenter__(self) -> "Stream[_Item]":
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def _next(self) -> Optional[_Item]:
        """The next item; None: the stream has ended."""
        with self._reading:
            while not self._closed.is_set():
                try:
                    item = self._receive()
                except errors.StockError as error:
                    if self._closed.is_set():
                        break
                    pause_s = self._pause_s(error)
                    if pause_s is None:
                        self._end()
                        raise
                    self._closed.wait(pause_s)
                    continue
                if item is None:
                    self._end()
                return item
            return None

    def _end(self) -> None:
        self._closed.set()
        self._servers.drop()

    def _pause_s(self, error: errors.StockError) -> Optional[float]:
        """The pause before it is made again; None: it is not."""
        if error.reason == "UNREACHABLE":
            return self._servers.dial_pause_s(float("inf"))
        policy = self._servers.options.retry
        self._failures += 1
        attempts = self._failures
        if policy.attempts_max > 1:  # else nothing is made again
            attempts = min(attempts, policy.attempts_max - 1)
        return policy.pause_s(error, attempts, float("inf"))

    def _receive(self) -> Optional[_Item]:
        """The next item of the connection, or of a new one; None: the end in order."""
        try:
            connection = self._opened or self._open()
            response = connection.item(self._call_id)
            if response.more:
                return self._take(connection, response.message)
        except Lost as why:
            refused = self._servers.connection is not None and self._servers.connection.turned_away
            self._opened = None
            self._servers.drop()
            if refused:
                self._servers.dial_failed()
                raise errors.unreachable(why) from None
            raise errors.connection_lost(why) from None
        self._opened = None
        if response.status == envelope_pb2.CODE_OK:
            return None
        if response.status == envelope_pb2.CODE_UNAVAILABLE:
            self._servers.leave()
        raise errors.said(response)

    def _open(self) -> Connection:
        options = self._servers.options
        connection = self._servers.connected(time.monotonic() + options.connect_timeout_s)
        if self._closed.is_set():  # before there was a connection to interrupt
            raise Lost("closed here")
        self._call_id = connection.open(self._method, self._request, options.window_bytes, self._metadata)
        self._opened, self._read_bytes = connection, 0
        return connection

    def _take(self, connection: Connection, message: bytes) -> _Item:
        try:
            item = self._read(message)
        except DecodeError:
            raise errors.malformed_item() from None
        self._failures = 0
        if item.token:
            self._request.after = item.token
        self._read_bytes += len(message) + ITEM_BYTES
        if self._read_bytes >= self._servers.options.window_bytes // 2:  # one grant for many items
            connection.grant(self._call_id, self._read_bytes)
            self._read_bytes = 0
        return item
