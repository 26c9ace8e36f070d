"""The private redis-server and stockd of a run."""

import contextlib
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
        self.redis = self.server = None
        self.address = ("127.0.0.1", free_port())
        self.redis_socket = os.path.join(WORK, "redis.sock")

    def start_all(self):
        self.start_store()
        self.server = self.start_server("stockd", self.address)
        wait_until(self.sells, "the server sells")

    def start_server(self, name, address, *flags):
        stockd = os.environ.get("STOCKD", os.path.join(ROOT, ".build", "debug", "stockd"))
        return self.start(
            stockd, "--listen", "%s:%d" % address, "--redis", f"unix:{self.redis_socket}", *flags,
            log=name)

    @contextlib.contextmanager
    def another_server(self, *flags):
        """One more server of the same shop; gives its process and its address."""
        address = ("127.0.0.1", free_port())
        process = self.start_server(f"stockd-{address[1]}", address, *flags)
        try:
            wait_until(lambda: self.sells(address), "the other server sells")
            yield process, address
        finally:
            process.terminate()
            process.wait(20)
            self.running.remove(process)

    def kill_store(self):
        """Redis is gone at once; what it has acknowledged is on the disk."""
        self.redis.kill()
        self.redis.wait()
        self.running.remove(self.redis)

    def start_store(self):
        """Redis, anew, with what it had."""
        self.redis = self.start(
            "redis-server", "--port", "0", "--unixsocket", self.redis_socket, "--dir", WORK,
            "--save", "", "--appendonly", "yes", "--appendfsync", "always")
        # Ended after the servers.
        self.running.insert(0, self.running.pop())
        wait_until(lambda: connects(socket.AF_UNIX, self.redis_socket), "Redis listens")
        self.open_store()

    def open_store(self):
        """What a worker does once it has compared Redis with the books."""
        epoch = "0123456789abcdef.1"
        info = self.store("INFO", "server").split()
        run_id = next(line[7:] for line in info if line.startswith("run_id:"))
        self.store("HSET", "fence", "epoch", epoch, "open", f"{epoch} {run_id}")

    def store(self, *words):
        """A command for Redis; or STOP, which makes it silent, and CONT, which wakes it."""
        if words[0] in ("STOP", "CONT"):
            self.redis.send_signal(getattr(signal, "SIG" + words[0]))
            return ""
        return subprocess.run(["redis-cli", "-s", self.redis_socket, *words], check=True,
                              capture_output=True, text=True).stdout.strip()

    def start(self, *command, log=None):
        """The program dies with this one, however this one ends."""
        log = log or os.path.basename(command[0])
        with open(os.path.join(WORK, log + ".log"), "ab") as file:
            self.running.append(subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], stdout=file, stderr=file))
        return self.running[-1]

    def sells(self, address=None):
        if any(process.poll() is not None for process in (self.redis, self.server) if process):
            raise SystemExit("a program has died:\n" + self.logs())
        address = address or self.address
        if not connects(socket.AF_INET, address):
            return False
        with Connection(address) as connection:
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
