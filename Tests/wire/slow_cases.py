"""Peers that keep the server waiting.  They begin with the run, since its patience is 30 seconds."""

import contextlib
import threading
import time

from cases import WireTest
from client import Closed, Connection
from every_method import ALL
from stock.v1 import health_pb2 as health

# Seconds that WIRE.md allows; the server looks once a second.
FIRST_FRAME, WHOLE_FRAME, UNREAD = 30, 10, 30
LATE = 5


class SlowPeers:
    """Each kind on a thread of its own; `lives` says how long the server bore it, in seconds."""

    def __init__(self, address):
        self.address = address
        self.lives = {}
        self.threads = [
            threading.Thread(target=self.live, args=(kind,), daemon=True)
            for kind in (self.says_nothing, self.stops_in_a_frame, self.a_byte_a_second,
                         self.reads_nothing)]
        for thread in self.threads:
            thread.start()

    def live(self, kind):
        with Connection(self.address, receive_buffer=4096) as peer:
            peer.socket.settimeout(60)
            began = time.monotonic()
            with contextlib.suppress(Closed, ConnectionError):
                kind(peer)
            self.lives[kind.__name__] = time.monotonic() - began

    def wait(self):
        for thread in self.threads:
            thread.join(60)
        return self.lives

    def says_nothing(self, peer):
        peer.receive()

    def stops_in_a_frame(self, peer):
        peer.send(peer.frame("Health/Check", health.HealthCheckRequest())[:-1])
        peer.receive()

    def a_byte_a_second(self, peer):
        for byte in peer.frame("Health/Check", health.HealthCheckRequest()):
            peer.send(bytes([byte]))
            time.sleep(1)
        raise AssertionError("a frame of half a minute was taken")

    def reads_nothing(self, peer):
        """More than the kernel takes, so that it is not read from either; that it is closed, sending
        tells."""
        for _ in range(400):
            peer.send(peer.frame("Reflection/Describe", ALL["Reflection/Describe"]("")))
        while True:
            time.sleep(0.5)
            peer.send(peer.frame("Health/Check", health.HealthCheckRequest()))


class TestTimeLimits(WireTest):
    """Named so that it comes late in the run."""

    slow_peers = None

    def test_slow_peers_are_closed(self):
        lives = self.slow_peers.wait()
        for kind, limit in (("says_nothing", FIRST_FRAME), ("stops_in_a_frame", WHOLE_FRAME),
                            ("a_byte_a_second", WHOLE_FRAME), ("reads_nothing", UNREAD)):
            with self.subTest(kind=kind):
                self.assertGreaterEqual(lives[kind], limit - 0.5)
                self.assertLess(lives[kind], limit + LATE)
        self.assert_still_serves()
