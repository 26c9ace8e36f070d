"""A shop of a test's own: a redis-server and a stockd that listens on TCP and on a Unix socket."""

import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "Tests", "wire"))
from client import Connection  # noqa: E402
from programs import connects, free_port, wait_until  # noqa: E402
from stock.v1 import health_pb2 as health  # noqa: E402
from stock.v1 import reservations_pb2 as reservations  # noqa: E402
from stock.v1 import stock_pb2 as stock  # noqa: E402

STOCKD = os.environ.get("STOCKD", os.path.join(ROOT, ".build", "debug", "stockd"))


class Shop:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="stockstream-clients-")
        self.redis_socket = os.path.join(self.folder.name, "redis.sock")
        self.unix = "unix:" + os.path.join(self.folder.name, "stockd.sock")
        self.port = free_port()
        self.tcp = f"127.0.0.1:{self.port}"
        self.redis = self.stockd = None
        # A program dies with the thread that started it: one that lasts, whoever asks.
        self.starter = concurrent.futures.ThreadPoolExecutor(1)

    def open(self):
        self.redis = self.start(
            "redis-server", "--port", "0", "--unixsocket", self.redis_socket, "--dir", self.folder.name,
            "--save", "", "--appendonly", "yes", "--appendfsync", "always")
        wait_until(lambda: connects(socket.AF_UNIX, self.redis_socket), "Redis listens")
        self.start_stockd()

    def start_stockd(self):
        self.stockd = self.start(STOCKD, "--listen", f"{self.tcp},{self.unix}", "--shards", "1", "--redis",
                                 f"unix:{self.redis_socket}", "--fence", "off")
        wait_until(self.sells, "the server sells")

    def start(self, *command):
        """The program dies with this one, however this one ends."""
        with open(os.path.join(self.folder.name, os.path.basename(command[0]) + ".log"), "ab") as log:
            dies_with_us = ["setpriv", "--pdeathsig", "KILL", *command]
            return self.starter.submit(
                subprocess.Popen, dies_with_us, stdout=log, stderr=log).result()

    def sells(self):
        if self.stockd.poll() is not None:
            with open(os.path.join(self.folder.name, "stockd.log"), encoding="utf-8") as log:
                raise SystemExit("stockd has died:\n" + log.read())
        if not connects(socket.AF_INET, ("127.0.0.1", self.port)):
            return False
        reply = self.ask("Health/Check", health.HealthCheckRequest(), health.HealthCheckReply)
        return reply.status in (health.SERVING, health.DEGRADED)

    def ask(self, method, request, reply_type):
        with Connection(("127.0.0.1", self.port)) as connection:
            return connection.ask(method, request, reply_type)

    def supply(self, sku, units):
        self.ask("Stock/Set", stock.SetStockRequest(sku=sku, available=units, request_id="supply-" + sku),
                 stock.SetStockReply)

    def retire(self, sku):
        self.ask("Stock/Retire", stock.RetireStockRequest(sku=sku, request_id="retire-" + sku),
                 stock.RetireStockReply)

    def figures(self, sku):
        reply = self.ask("Stock/Get", stock.GetStockRequest(sku=sku), stock.GetStockReply)
        return reply.stock.available, reply.stock.held, reply.stock.sold

    def kill_stockd(self):
        self.stockd.kill()
        self.stockd.wait()

    def end_stockd(self):
        """As an administrator does: it answers what it has, and goes."""
        self.stockd.send_signal(signal.SIGTERM)
        return self.stockd.wait(20)

    def close(self):
        for process in (self.stockd, self.redis):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(20)
        self.folder.cleanup()
