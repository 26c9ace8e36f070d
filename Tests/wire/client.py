"""A client made from proto/ alone: the classes are generated anew in every run."""

import os
import socket
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = tempfile.mkdtemp(prefix="stockstream-wire-")
FRAME_PAYLOAD_BYTES_MAX = 2 * 1024 * 1024


def generate_contracts():
    folder = os.path.join(ROOT, "proto", "stock", "v1")
    contracts = [os.path.join(folder, name) for name in os.listdir(folder)]
    subprocess.run(
        ["protoc", "-I", os.path.join(ROOT, "proto"), "--python_out", WORK, *contracts],
        check=True)
    sys.path.insert(0, WORK)


generate_contracts()
from stock.v1 import envelope_pb2 as envelope  # noqa: E402


class Closed(Exception):
    """The server closed the connection."""


class Connection:
    """One connection; a frame is four bytes of length, big-endian, and one envelope."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=10)
        self.call_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def frame(self, method, request):
        self.call_id += 1
        return frame(envelope.Request(
            call_id=self.call_id, method="stock.v1." + method, timeout_ms=5000,
            message=request.SerializeToString()))

    def send(self, data):
        self.socket.sendall(data)

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
        (length,) = struct.unpack(">I", self.receive_exactly(4))
        assert length <= FRAME_PAYLOAD_BYTES_MAX
        return envelope.Response.FromString(self.receive_exactly(length))

    def call(self, method, request):
        """The response, whatever its status."""
        self.send(self.frame(method, request))
        response = self.receive()
        assert response.call_id == self.call_id, "another call's answer"
        return response

    def ask(self, method, request, reply_type):
        """The reply of a call that must be OK."""
        response = self.call(method, request)
        assert response.status == envelope.CODE_OK, response
        return reply_type.FromString(response.message)


def frame(request):
    payload = request.SerializeToString()
    return struct.pack(">I", len(payload)) + payload
