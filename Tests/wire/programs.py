"""The private redis-server and stockd of a run."""

import os
import signal
import socket
import subprocess
import time

from client import ROOT, WORK, Connection
from stock.v1 import health_pb2 as health


class Programs:
    def __init__(self):
        self.running = []
        self.address = ("127.0.0.1", free_port())

    def start_all(self):
        redis_socket = os.path.join(WORK, "redis.sock")
        self.start("redis-server", "--port", "0", "--unixsocket", redis_socket, "--dir", WORK,
                   "--save", "", "--appendonly", "yes", "--appendfsync", "always")
        wait_until(lambda: connects(socket.AF_UNIX, redis_socket), "Redis listens")
        stockd = os.environ.get("STOCKD", os.path.join(ROOT, ".build", "debug", "stockd"))
        host, port = self.address
        self.start(stockd, "--listen", f"{host}:{port}", "--redis", f"unix:{redis_socket}")
        wait_until(self.sells, "the server sells")

    def start(self, *command):
        """The program dies with this one, however this one ends."""
        with open(os.path.join(WORK, os.path.basename(command[0]) + ".log"), "wb") as log:
            self.running.append(subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], stdout=log, stderr=log))

    def sells(self):
        if any(process.poll() is not None for process in self.running):
            raise SystemExit("a program has died:\n" + self.logs())
        if not connects(socket.AF_INET, self.address):
            return False
        with Connection(self.address) as connection:
            reply = connection.ask(
                "Health/Check", health.HealthCheckRequest(), health.HealthCheckReply)
            return reply.status in (health.SERVING, health.DEGRADED)

    def logs(self):
        names = sorted(name for name in os.listdir(WORK) if name.endswith(".log"))
        text = ""
        for name in names:
            with open(os.path.join(WORK, name), errors="replace") as log:
                text += log.read()
        return text

    def stop(self):
        """Ends the server first, then its store; returns the server's exit code."""
        code = 0
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            try:
                code = code or process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
        return code


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connects(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(address) == 0


def wait_until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"gave up waiting until {what}")
        time.sleep(0.01)
