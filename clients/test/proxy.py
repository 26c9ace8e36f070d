"""A proxy between a client and a server that does one thing wrong, on purpose.

A fault looks at each frame as it passes.  `request` and `response` return the frames (bytes) that go on
instead, and may raise Cut to end both connections.  Frames go through one lock, so that a fault needs none.
"""

import collections
import socket
import struct
import threading
import time

from shop import ROOT  # noqa: F401  (the path to the generated contracts)
from stock.v1 import connection_pb2 as connection
from stock.v1 import envelope_pb2 as envelope
from stock.v1 import health_pb2 as health
from stock.v1 import reservations_pb2 as reservations


RESERVE = "stock.v1.Reservations/Reserve"


class Cut(Exception):
    """Both ends are closed, without another byte."""


class Fault:
    """Lets everything pass.  Most others are about the calls of some methods: reserves, unless `about` says
    something else."""

    def __init__(self):
        self.connections = 0
        self.methods = collections.Counter()
        self.struck = {RESERVE}

    def about(self, *methods):
        self.struck = {"stock.v1." + method for method in methods}
        return self

    def request(self, link, request):
        return [frame(request)]

    def response(self, link, response, method):
        return [frame(response)]

    def write(self, client, data):
        client.sendall(data)


def frame(message):
    payload = message.SerializeToString()
    return struct.pack(">I", len(payload)) + payload


def read_frame(stream):
    header = stream.read(4)
    return stream.read(struct.unpack(">I", header)[0]) if len(header) == 4 else None


class Link:
    """One client's connection, and the one to the server that belongs to it."""

    def __init__(self, proxy, client, number):
        self.proxy, self.client, self.number = proxy, client, number
        self.methods = {}
        try:
            self.server = socket.create_connection(proxy.server, timeout=10)
        except OSError:
            client.close()
            return
        for one in (client, self.server):
            one.settimeout(None)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.pump, args=(client, self.pass_request), daemon=True).start()
        threading.Thread(target=self.pump, args=(self.server, self.pass_response), daemon=True).start()

    def pump(self, source, pass_on):
        stream = source.makefile("rb")
        try:
            while (payload := read_frame(stream)) is not None:
                with self.proxy.lock:
                    pass_on(payload)
        except (OSError, Cut):
            pass
        self.close()
        stream.close()
        source.close()

    def pass_request(self, payload):
        request = envelope.Request.FromString(payload)
        self.methods[request.call_id] = request.method
        self.proxy.fault.methods[request.method] += 1
        for data in self.proxy.fault.request(self, request):
            self.server.sendall(data)

    def pass_response(self, payload):
        response = envelope.Response.FromString(payload)
        for data in self.proxy.fault.response(self, response, self.methods.get(response.call_id, "")):
            self.proxy.fault.write(self.client, data)

    def answer(self, response):
        """Says something to the client that the server has not said."""
        self.proxy.fault.write(self.client, frame(response))

    def close(self):
        for one in (self.client, self.server):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Proxy:
    def __init__(self, fault, server_port):
        self.fault, self.server = fault, ("127.0.0.1", server_port)
        self.lock = threading.RLock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                client, _ = self.listener.accept()
                self.fault.connections += 1
                with self.lock:  # not while a fault has a server restarted
                    Link(self, client, self.fault.connections)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class Torn(Fault):
    """Answers come byte by byte."""

    def write(self, client, data):
        for byte in data:
            client.sendall(bytes([byte]))
            time.sleep(0.0002)


class Delayed(Fault):
    def write(self, client, data):
        time.sleep(0.05)
        client.sendall(data)


class Reordered(Fault):
    """Each `count` answers come in the opposite order, in pieces that end anywhere."""

    def __init__(self, count):
        super().__init__()
        self.count, self.kept = count, []

    def response(self, link, response, method):
        if method not in self.struck:
            return [frame(response)]
        self.kept.append(frame(response))
        if len(self.kept) < self.count:
            return []
        data, self.kept = b"".join(reversed(self.kept)), []
        return [data[at:at + 77] for at in range(0, len(data), 77)]


class CutReply(Fault):
    """The first replies to each method are lost with their connection: the work is done, nobody knows."""

    def __init__(self, times, then=lambda: None):
        super().__init__()
        self.times, self.then = times, then
        self.cut = collections.Counter()

    def response(self, link, response, method):
        if method in self.struck and self.cut[method] < self.times:
            self.cut[method] += 1
            self.then()
            raise Cut
        return [frame(response)]


class CutRequest(Fault):
    """The first calls of each method are lost on their way, with the connection."""

    def __init__(self, times):
        super().__init__()
        self.times, self.cut = times, collections.Counter()

    def request(self, link, request):
        if request.method in self.struck and self.cut[request.method] < self.times:
            self.cut[request.method] += 1
            raise Cut
        return [frame(request)]


class Refused(Fault):
    """The first reserves are answered with a status of the proxy's own, which invites a repeat."""

    def __init__(self, times, code, reason, retry_after_ms=0):
        super().__init__()
        self.times, self.code, self.reason = times, code, reason
        self.retry_after_ms, self.at = retry_after_ms, []

    def request(self, link, request):
        if request.method not in self.struck:
            return [frame(request)]
        self.at.append(time.monotonic())
        if self.times == 0:
            return [frame(request)]
        self.times -= 1
        detail = envelope.ErrorDetail(reason=self.reason, message="No.", retryable=True,
                                      retry_after_ms=self.retry_after_ms)
        link.answer(envelope.Response(call_id=request.call_id, status=self.code, detail=detail))
        return []


class Silent(Fault):
    """Nothing is answered on the first `times` connections."""

    def __init__(self, times):
        super().__init__()
        self.times = times

    def request(self, link, request):
        return [] if link.number <= self.times else [frame(request)]


def going_away(reason="test", close_after_ms=5000):
    notice = connection.Notice(
        going_away=connection.GoingAway(reason=reason, close_after_ms=close_after_ms))
    return frame(envelope.Response(call_id=0, message=notice.SerializeToString()))


class TurnedAway(Fault):
    """The first connections are not taken, and told why."""

    def __init__(self, count):
        super().__init__()
        self.count = count

    def request(self, link, request):
        if link.number > self.count:
            return [frame(request)]
        self.write(link.client, going_away("connections-per-peer-max: 7", 0))
        raise Cut


class GoingAway(Fault):
    """Says that it goes before the first reply to a reserve.  That reply is kept until another connection
    has brought a call; the first connection is never closed by this side."""

    def __init__(self):
        super().__init__()
        self.kept = None
        self.late = 0  # calls that came on the connection that goes

    def request(self, link, request):
        if self.kept is not None and link is not self.kept[0] and request.method in self.struck:
            first, data = self.kept
            first.client.sendall(data)
        self.late += self.kept is not None and link is self.kept[0] and request.method in self.struck
        return [frame(request)]

    def response(self, link, response, method):
        if method in self.struck and self.kept is None:
            self.kept = (link, frame(response))
            return [going_away()]
        return [frame(response)]


class GoingTwice(Fault):
    """The first two connections say that they go instead of answering a reserve.  The first one never
    answers; the second when the third has brought a call."""

    def __init__(self):
        super().__init__()
        self.kept = None

    def request(self, link, request):
        if link.number == 3 and self.kept is not None:
            second, data = self.kept
            second.client.sendall(data)
            self.kept = None
        return [frame(request)]

    def response(self, link, response, method):
        if method not in self.struck or link.number > 2:
            return [frame(response)]
        if link.number == 2:
            self.kept = (link, frame(response))
        return [going_away()]


class Hello(Fault):
    """Answers Hello with a status."""

    def __init__(self, code, reason):
        super().__init__()
        self.code, self.reason = code, reason

    def response(self, link, response, method):
        if method != "stock.v1.Connection/Hello":
            return [frame(response)]
        detail = envelope.ErrorDetail(reason=self.reason, message="No.")
        return [frame(envelope.Response(call_id=response.call_id, status=self.code, detail=detail))]


class Unhealthy(Fault):
    """Says of itself that it does not serve."""

    def response(self, link, response, method):
        if method == "stock.v1.Health/Check":
            response.message = health.HealthCheckReply(status=health.NOT_SERVING).SerializeToString()
        return [frame(response)]


class Newer(Fault):
    """Replies of a newer version: an outcome and fields that nobody knows yet, a notice of another kind, and
    an answer to a call that was never made."""

    def response(self, link, response, method):
        if method not in self.struck:
            return [frame(response)]
        unknown = b"\x9a\x06\x03new" + b"\xa0\x06\x01"
        reply = reservations.ReserveReply.FromString(response.message)
        reply.outcome = 99
        response.message = reply.SerializeToString() + unknown
        payload = response.SerializeToString() + unknown
        stray = frame(envelope.Response(call_id=0, message=unknown))
        stray += frame(envelope.Response(call_id=1 << 60))
        return [stray + struct.pack(">I", len(payload)) + payload]


class Garbage(Fault):
    """Instead of each reply to a reserve, bytes."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def response(self, link, response, method):
        return [self.data] if method in self.struck else [frame(response)]


class Headers(CutReply):
    """Keeps the headers of every reserve; the first reply is lost."""

    def __init__(self):
        super().__init__(1)
        self.seen = []

    def request(self, link, request):
        if request.method in self.struck:
            self.seen.append([(one.key, one.value) for one in request.metadata])
        return [frame(request)]


class Wrong(Fault):
    """Each reply to a reserve is a message of another kind."""

    def response(self, link, response, method):
        if method in self.struck:
            response.message = b"\x0a\xff"
        return [frame(response)]
