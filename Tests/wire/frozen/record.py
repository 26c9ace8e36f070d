#!/usr/bin/python3
"""Records a conversation with a server of some commit, byte by byte, in both directions.

    record.py STOCKD STOCKCTL PROTO OUTPUT

STOCKD and STOCKCTL are that commit's programs, PROTO its folder of contracts, OUTPUT the folder that
gets `conversation.txt` and `contract.binpb`.  README.md has the exact commands.
"""

import os
import shutil
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from client import WORK, Connection, envelope, frame  # noqa: E402
from programs import Programs, wait_until  # noqa: E402
from stock.v1 import connection_pb2 as connection  # noqa: E402
from stock.v1 import health_pb2 as health  # noqa: E402
from stock.v1 import reservations_pb2 as reservations  # noqa: E402
from stock.v1 import stock_pb2 as stock  # noqa: E402

SKU = "frozen-box"


class Recorder:
    """Stands between the clients and the server, and writes down each frame."""

    def __init__(self, server):
        self.server = server
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.lines = []
        self.pumps = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.server)
            for mark, source, sink in ((">", client, server), ("<", server, client)):
                pump = threading.Thread(target=self.pump, args=(mark, source, sink), daemon=True)
                self.pumps.append(pump)
                pump.start()

    def pump(self, mark, source, sink):
        pending = b""
        while piece := source.recv(65_536):
            pending += piece
            while len(pending) >= 4 and len(pending) >= (
                    whole := 4 + struct.unpack(">I", pending[:4])[0]):
                self.lines.append(f"{mark} {pending[:whole].hex()}")
                pending = pending[whole:]
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)

    def settle(self):
        """Until both directions of every connection have ended."""
        for pump in self.pumps:
            pump.join(10)
            assert not pump.is_alive(), "a connection has not ended"
        self.pumps.clear()

    def say(self, line):
        self.lines.append(line)


class Conversation:
    def __init__(self, recorder, stockctl, programs):
        self.recorder, self.stockctl, self.programs = recorder, stockctl, programs

    def ctl(self, name, *arguments):
        """A call by that commit's own client; returns what it printed."""
        self.recorder.say(f"\nstep {name}")
        host, port = self.recorder.address
        done = subprocess.run(
            [self.stockctl, *arguments, "--address", f"{host}:{port}"], capture_output=True,
            text=True, check=False)
        self.recorder.settle()
        return dict(line.split(None, 1) for line in done.stdout.splitlines() if " " in line)

    def raw(self, name, *requests):
        """Envelopes that the client would not send, in one write."""
        self.recorder.say(f"\nstep {name}")
        with Connection(self.recorder.address) as peer:
            peer.send(b"".join(frame(request) for request in requests))
            for _ in requests:
                peer.receive()
        self.recorder.settle()

    def store(self, *words):
        self.recorder.say("\nstore " + " ".join(words))
        self.programs.store(*words)

    def take_place(self):
        health_check = envelope.Request(call_id=1, method="stock.v1.Health/Check")
        unknown = "H-" + "0" * 28 + "-1"
        self.ctl("health", "health")
        self.ctl("stock of an unknown SKU", "stock", "get", SKU)
        self.ctl("reserve an unknown SKU", "reserve", SKU, "--user", "ada", "--key", "k0")
        self.ctl("set stock", "stock", "set", SKU, "10", "--request-id", "set-1")
        self.ctl("set stock again", "stock", "set", SKU, "10", "--request-id", "set-1")
        self.ctl("a used request id", "stock", "set", SKU, "11", "--request-id", "set-1")
        self.ctl("stock", "stock", "get", SKU)
        self.ctl("stock that adds up", "stock", "adopt", SKU)
        one = self.reserve("reserve", "k1", "2", "1h")
        self.reserve("reserve again", "k1", "2", "1h")
        self.reserve("a key for another request", "k1", "3", "1h")
        self.reserve("sold out", "k9", "100", "1h")
        self.ctl("hold by id", "hold", "get", one)
        self.ctl("hold by key", "hold", "get", "--user", "ada ☕", "--key", "k1")
        self.confirm("confirm", one, "pay-1")
        self.confirm("confirm again", one, "pay-1")
        self.confirm("another payment", one, "pay-2")
        self.ctl("cancel a confirmed hold", "cancel", one)
        two = self.reserve("reserve to cancel", "k2", "1", "15m")
        self.ctl("cancel", "cancel", two)
        self.ctl("cancel again", "cancel", two)
        self.confirm("confirm a cancelled hold", two, "pay-1")
        self.ctl("no such hold", "hold", "get", unknown)
        self.confirm("confirm no such hold", unknown, "pay-1")
        self.ctl("cancel no such hold", "cancel", unknown)
        three = self.reserve("reserve for a second", "k3", "1", "1s")
        wait_until(lambda: self.is_expired(three), "the hold has expired", 10)
        self.confirm("confirm once expired", three, "pay-1")
        self.ctl("cancel once expired", "cancel", three)
        self.ctl("hold once expired", "hold", "get", three)
        self.refused()
        self.store("SET", f"stock:{SKU}", "50")
        self.reserve("stock changed by hand", "k4", "1", "1h")
        self.ctl("adopt", "stock", "adopt", SKU)
        self.raw("two calls in one write", health_check, envelope.Request(
            call_id=2, method="stock.v1.Stock/Get",
            message=stock.GetStockRequest(sku=SKU).SerializeToString()))
        self.store("STOP")
        self.raw("the store is silent", envelope.Request(
            call_id=1, method="stock.v1.Reservations/Reserve", timeout_ms=200,
            message=reservations.ReserveRequest(
                sku=SKU, qty=1, user_id="ada", idempotency_key="k5").SerializeToString()))
        self.store("CONT")

    def refused(self):
        self.ctl("a SKU with a blank", "stock", "get", "a b")
        self.reserve("no units", "k4", "0", "1h")
        self.reserve("a life too short", "k4", "1", "1ms")
        self.confirm("no hold id", "H-1", "pay-1")
        self.ctl("too many units", "stock", "set", SKU, "1000000000000", "--request-id", "set-2")
        self.raw("no such method", envelope.Request(call_id=1, method="stock.v1.Stock/Steal"))
        self.raw("no message of the method", envelope.Request(
            call_id=1, method="stock.v1.Stock/Get", message=b"\x0a\xff"))
        self.raw("hello of a later client", envelope.Request(
            call_id=1, method="stock.v1.Connection/Hello", timeout_ms=5_000,
            message=connection.HelloRequest(
                protocol_min=1, protocol_max=2, client="later").SerializeToString()))

    def reserve(self, name, key, qty, ttl):
        return self.ctl(name, "reserve", SKU, "--user", "ada ☕", "--key", key, "--qty", qty,
                        "--ttl", ttl).get("hold_id", "").strip()

    def confirm(self, name, hold_id, payment_ref):
        self.ctl(name, "confirm", hold_id, "--payment-ref", payment_ref)

    def is_expired(self, hold_id):
        """Asked past the recorder."""
        with Connection(self.programs.address) as peer:
            reply = peer.ask("Reservations/GetHold", reservations.GetHoldRequest(hold_id=hold_id),
                             reservations.GetHoldReply)
            return reply.hold.status == reservations.Hold.EXPIRED and reply.hold.version == 2


def main():
    stockd, stockctl, contracts, output = map(os.path.abspath, sys.argv[1:])
    os.environ["STOCKD"] = stockd
    programs = Programs()
    try:
        programs.start_all()
        with Connection(programs.address) as peer:
            version = peer.ask(
                "Health/Check", health.HealthCheckRequest(), health.HealthCheckReply).version
        recorder = Recorder(programs.address)
        Conversation(recorder, stockctl, programs).take_place()
    finally:
        programs.stop()
        shutil.rmtree(WORK)
    with open(os.path.join(output, "conversation.txt"), "w", encoding="utf-8") as text:
        text.write(f"# stockd {version}.  >: to the server, <: from it; a line is a frame.\n")
        text.write("\n".join(recorder.lines) + "\n")
    files = [os.path.join("stock/v1", name)
             for name in sorted(os.listdir(os.path.join(contracts, "stock/v1")))]
    subprocess.run(
        ["protoc", "-I", contracts, f"--descriptor_set_out={output}/contract.binpb", *files],
        cwd=contracts, check=True)


if __name__ == "__main__":
    main()
