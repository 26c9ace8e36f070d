"""A client made from proto/ alone: the classes are generated anew in every run."""

import atexit
import collections
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = tempfile.mkdtemp(prefix="stockstream-wire-")
atexit.register(shutil.rmtree, WORK, ignore_errors=True)
FRAME_PAYLOAD_BYTES_MAX = 2 * 1024 * 1024


def generate_contracts():
    folder = os.path.join(ROOT, "proto", "stock", "v1")
    contracts = [os.path.join(folder, name) for name in os.listdir(folder)]
    subprocess.run(
        ["protoc", "-I", os.path.join(ROOT, "proto"), "--python_out", WORK, *contracts],
        check=True)
    sys.path.insert(0, WORK)


generate_contracts()
from stock.v1 import connection_pb2 as connection  # noqa: E402
from stock.v1 import envelope_pb2 as envelope  # noqa: E402
from stock.v1 import reservations_pb2 as reservations  # noqa: E402


class Closed(Exception):
    """The server closed the connection."""


# (method, status, reason) of every answer of this run, items of streams and of batches included.
answers = collections.Counter()


class Connection:
    """One connection; a frame is four bytes of length, big-endian, and one envelope."""

    def __init__(self, address, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect(address)
        self.call_id = 0
        self.methods = {}  # of the calls that have no last answer yet
        self.notices = []
        self.others = []  # responses that came while another one was waited for

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def frame(self, method, request, timeout_ms=5000, **fields):
        """One call as a frame; its id is `call_id` afterwards."""
        self.call_id += 1
        self.methods[self.call_id] = "stock.v1." + method
        return frame(envelope.Request(
            call_id=self.call_id, method="stock.v1." + method, timeout_ms=timeout_ms,
            message=request.SerializeToString(), **fields))

    def send(self, data):
        self.socket.sendall(data)

    def start(self, method, request, **fields):
        """Makes a call without waiting for its answer; returns its id."""
        self.send(self.frame(method, request, **fields))
        return self.call_id

    def receive_exactly(self, count):
        received = b""
        while len(received) < count:
            try:
                piece = self.socket.recv(count - len(received))
            except ConnectionResetError:
                raise Closed from None
            if not piece:
                raise Closed
            received += piece
        return received

    def receive(self):
        """The next response; notices are put aside."""
        while True:
            (length,) = struct.unpack(">I", self.receive_exactly(4))
            assert length <= FRAME_PAYLOAD_BYTES_MAX
            response = envelope.Response.FromString(self.receive_exactly(length))
            if response.call_id != 0:
                break
            self.notices.append(connection.Notice.FromString(response.message))
        if method := self.methods.get(response.call_id):
            answers[method, response.status, response.detail.reason] += 1
            if method.endswith("/BatchReserve"):
                reply = reservations.BatchReserveReply.FromString(response.message)
                for status, reason in {(one.status, one.detail.reason) for one in reply.results}:
                    answers[method, status, reason] += 1
            if not response.more:
                del self.methods[response.call_id]
        return response

    def response_to(self, call_id):
        """The next response to that call, whatever comes before it."""
        for place, response in enumerate(self.others):
            if response.call_id == call_id:
                return self.others.pop(place)
        while (response := self.receive()).call_id != call_id:
            self.others.append(response)
        return response

    def call(self, method, request, **fields):
        """The response, whatever its status."""
        return self.response_to(self.start(method, request, **fields))

    def ask(self, method, request, reply_type, **fields):
        """The reply of a call that must be OK."""
        response = self.call(method, request, **fields)
        assert response.status == envelope.CODE_OK, response
        return reply_type.FromString(response.message)


def frame(request):
    payload = request.SerializeToString()
    return struct.pack(">I", len(payload)) + payload
