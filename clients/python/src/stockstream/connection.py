"""One connection, one call at a time.  A frame is four bytes of length, big-endian, and one envelope."""

import contextlib
import queue
import select
import socket
import struct
import threading
import time
from typing import Mapping, Optional, Tuple, Union

from google.protobuf.message import DecodeError, Message

from . import errors
from ._contracts import connection_pb2, envelope_pb2

FRAME_PAYLOAD_BYTES_MAX = 2 * 1024 * 1024
VERSION_MIN, VERSION_MAX = 1, 2
GRACE_S = 0.25
"""The server answers at the deadline; only when it does not is the call given up here."""

Address = Union[str, Tuple[str, int]]
"""A Unix socket's path, or host and port."""


def parse_address(text: str) -> Address:
    """Reads "host:port", "[v6 address]:port" or "unix:/path"."""
    if text.startswith("unix:"):
        if len(text) == len("unix:"):
            raise ValueError(f"{text!r} has no path")
        return text[len("unix:"):]
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not colon or not host or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise ValueError(f"{text!r} is not host:port, [v6 address]:port or unix:/path")
    return host, int(port)


class Lost(Exception):
    """The connection has ended, or speaks no protocol that is known here."""


def _connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """``socket.create_connection``, whose timeout holds for the name server, too: the lookup has a thread."""
    deadline = time.monotonic() + timeout_s
    answers: "queue.SimpleQueue[object]" = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        found = answers.get(timeout=timeout_s)
    except queue.Empty:
        raise TimeoutError(f"{host} could not be looked up in time") from None
    if not isinstance(found, list):
        raise found if isinstance(found, OSError) else OSError(f"{host} is no name of a host")
    for family, kind, protocol, _, at in found:
        try:
            return _connected(socket.socket(family, kind, protocol), at, deadline - time.monotonic())
        except OSError as error:
            failure = error
    raise failure


def _connected(made: socket.socket, at: object, timeout_s: float) -> socket.socket:
    try:
        made.settimeout(max(timeout_s, 0.001))
        made.connect(at)
        return made
    except OSError:
        made.close()
        raise


class Connection:
    """Made by dialing.  Not for more than one thread."""

    def __init__(self, address: Address, client: str, timeout_s: float, keepalive_s: float) -> None:
        if isinstance(address, str):
            self._socket = _connected(socket.socket(socket.AF_UNIX), address, timeout_s)
        else:
            self._socket = _connect(*address, timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._keepalive_s = keepalive_s
        self._received = bytearray()
        self._last_id = 1
        self._version = VERSION_MIN
        self.is_leaving = False
        """The server has said that it goes: no new calls here."""
        self.turned_away: Optional[str] = None
        """Why the server has not taken the connection, nor anything that was sent on it."""
        self._notice = ""
        self.protocol_refusal: Optional[str] = None
        hello = connection_pb2.HelloRequest(protocol_min=VERSION_MIN, protocol_max=VERSION_MAX, client=client)
        self._hello = _frame(envelope_pb2.Request(
            call_id=1, method="stock.v1.Connection/Hello", timeout_ms=5_000), hello)

    def close(self) -> None:
        """Closes; a call without an answer is lost."""
        self._socket.close()

    def interrupt(self) -> None:
        """From any thread: who waits here is told that the connection is lost."""
        with contextlib.suppress(OSError):  # it is closed
            self._socket.shutdown(socket.SHUT_RDWR)

    def look(self) -> None:
        """Takes what has come while nobody waited: a notice that the server goes, or its end."""
        while select.select([self._socket], [], [], 0)[0]:
            self._receive(time.monotonic() + 1)
            while (response := self._next()) is not None:
                self._control(response)

    def call(self, method: str, request: Message, deadline: float, metadata: Mapping[str, str], *,
             sends_deadline_at: bool = False) -> envelope_pb2.Response:
        """Makes a call and waits for its answer, whatever that is.

        Raises `Lost` when the connection died, and `StockError` NO_ANSWER or TOO_LARGE.
        """
        left_ms = max(1, int((deadline - time.monotonic()) * 1000))
        made = _call(method, metadata, timeout_ms=left_ms)
        if sends_deadline_at:
            made.deadline_at = int(time.time() * 1000) + left_ms
        try:
            self._send(made, request, max(deadline - time.monotonic(), 0.001))
            return self._answer(made.call_id, deadline + GRACE_S)
        except OSError as error:
            raise Lost(error.strerror or str(error)) from error

    def open(self, method: str, request: Message, window_bytes: int,
             metadata: Mapping[str, str]) -> int:
        """Begins a stream; returns the id of its call.  Raises `Lost`, and `StockError` TOO_LARGE."""
        made = _call(method, metadata, window_bytes=window_bytes)
        try:
            self._send(made, request, self._keepalive_s)
        except OSError as error:
            raise Lost(error.strerror or str(error)) from error
        return made.call_id

    def item(self, call_id: int) -> envelope_pb2.Response:
        """Waits for the next answer of a stream; it is the last one unless it has `more`.

        Raises `Lost` when the connection died, or its server goes.
        """
        try:
            return self._answer(call_id, float("inf"))
        except OSError as error:
            raise Lost(error.strerror or str(error)) from error

    def grant(self, call_id: int, count: int) -> None:
        """Lets the server send so many bytes more of a stream.  If that fails, so does the next `item`."""
        credit = connection_pb2.CreditRequest(call_id=call_id, bytes=count)
        with contextlib.suppress(OSError):
            self._say("stock.v1.Connection/Credit", credit)

    def _send(self, made: envelope_pb2.Request, request: Message, timeout_s: float) -> None:
        self._last_id += 1
        made.call_id = self._last_id
        data = _frame(made, request)
        if len(data) - 4 > FRAME_PAYLOAD_BYTES_MAX:
            raise errors.fault(errors.Code.INVALID_ARGUMENT, "TOO_LARGE",
                               "The call is larger than a frame may be.")
        data, self._hello = self._hello + data, b""
        self._socket.settimeout(timeout_s)
        self._socket.sendall(data)

    def _answer(self, call_id: int, until: float) -> envelope_pb2.Response:
        heard, pinged = time.monotonic(), False
        while True:
            while (response := self._next()) is not None:
                heard, pinged = time.monotonic(), False
                if response.call_id == call_id:
                    return response
                self._control(response)
            if self.protocol_refusal is not None:
                raise Lost(self.protocol_refusal)
            if self.turned_away is not None:
                raise Lost(self.turned_away)
            if self.is_leaving and until == float("inf"):
                raise Lost(self._notice)
            patience = heard + self._keepalive_s * (2 if pinged else 1)
            if self._receive(min(until, patience)):
                continue
            if time.monotonic() >= until:
                self._give_up(call_id)
                raise errors.no_answer()
            if pinged:
                raise Lost(f"no answer to a ping in {self._keepalive_s} s")
            self._say("stock.v1.Connection/Ping", connection_pb2.PingRequest())
            pinged = True

    def _give_up(self, call_id: int) -> None:
        if self._version >= 2:
            self._say("stock.v1.Connection/Cancel", connection_pb2.CancelCallRequest(call_id=call_id))

    def _say(self, method: str, request: Message) -> None:
        """A call whose answer matters to nobody."""
        self._last_id += 1
        said = envelope_pb2.Request(call_id=self._last_id, method=method, timeout_ms=5_000)
        self._socket.settimeout(1)
        self._socket.sendall(_frame(said, request))

    def _receive(self, until: float) -> bool:
        """Waits for more bytes; False: none came in time."""
        self._socket.settimeout(max(until - time.monotonic(), 0.0001))
        try:
            piece = self._socket.recv(65_536)
        except socket.timeout:
            return False
        if not piece:
            raise Lost(self._notice or "closed by the server")
        self._received += piece
        return True

    def _next(self) -> Optional[envelope_pb2.Response]:
        if len(self._received) < 4:
            return None
        (length,) = struct.unpack_from(">I", self._received)
        if length > FRAME_PAYLOAD_BYTES_MAX:
            raise Lost("the server sent what is no frame")
        if len(self._received) - 4 < length:
            return None
        payload = bytes(self._received[4:4 + length])
        del self._received[:4 + length]
        try:
            return envelope_pb2.Response.FromString(payload)
        except DecodeError:
            raise Lost("the server sent what is no envelope") from None

    def _control(self, response: envelope_pb2.Response) -> None:
        """Takes what answers no call: a notice, our greeting's reply, or the answer of one given up."""
        try:
            if response.call_id == 0:
                notice = connection_pb2.Notice.FromString(response.message)
                if notice.HasField("going_away"):
                    self.is_leaving = True
                    self._notice = f"the server said: {notice.going_away.reason}"
                    if notice.going_away.close_after_ms == 0:
                        self.turned_away = self._notice
            elif response.call_id == 1 and response.status == envelope_pb2.CODE_OK:
                self._version = connection_pb2.HelloReply.FromString(response.message).protocol
            elif response.call_id == 1 and response.detail.reason == "PROTOCOL_UNSUPPORTED":
                self.protocol_refusal = "it speaks no version of the protocol that this client speaks"
        except DecodeError:
            pass  # of a newer version


def _call(method: str, metadata: Mapping[str, str], *, timeout_ms: int = 0,
          window_bytes: int = 0) -> envelope_pb2.Request:
    headers = [envelope_pb2.Metadata(key=key, value=value) for key, value in metadata.items()]
    return envelope_pb2.Request(
        method=method, metadata=headers, timeout_ms=timeout_ms, window_bytes=window_bytes)


def _frame(envelope: envelope_pb2.Request, message: Message) -> bytes:
    envelope.message = message.SerializeToString()
    payload = envelope.SerializeToString()
    return struct.pack(">I", len(payload)) + payload
