"""Calls with many answers, and what goes with calls."""

import time

import late_faults
import proxy
import stream_faults as faults
from running import ClientTest, shop
from running import open_shop as setUpModule  # noqa: F401
from shop import free_port


class TestStreams(ClientTest):
    CREDIT = "stock.v1.Connection/Credit"

    def test_watch_and_follow(self):
        self.run_scenario("watched", shop.tcp)
        self.sku += "f"
        self.run_scenario("followed", shop.unix)

    def test_refusals_and_teardown(self):
        self.run_scenario("stream_refusals")
        self.run_scenario("stream_teardown")

    def test_headers(self):
        self.run_scenario("metadata")
        fault = proxy.Headers()
        self.run_through(fault, "reserves", "REPEATED", 2, 2, "headers")
        self.assertEqual(fault.seen, [[("traceparent", "t"), ("x-request-id", "r")]] * 3)

    def follow_through(self, fault, count, window, connections, *setting):
        self.run_through(fault, "follows_all", shop.tcp, count, window, *setting)
        self.assertEqual(fault.connections, connections)

    def test_the_window(self):
        for window, grants in ((1, 200), (1_000, 50), (65_536, 0)):
            fault = proxy.Fault()
            self.sku += "w"
            self.follow_through(fault, 200, window, 1)
            self.assertGreaterEqual(fault.methods[self.CREDIT], grants)

    def test_lost_connections(self):
        self.follow_through(faults.CutStream(20, times=5), 200, 1_000, 6)

    def test_a_stream_has_no_deadline(self):
        fault = late_faults.Calls().about("Events/Follow")
        self.follow_through(fault, 20, 65_536, 2, "deadline-at")
        self.assertEqual([call.deadline_at for _, call in fault.seen], [0, 0])

    def test_connections_that_go(self):
        self.follow_through(faults.LeavingStream(20, times=5), 200, 65_536, 6)

    def test_a_silent_server_is_left(self):
        fault = proxy.Silent(1)
        self.follow_through(fault, 20, 65_536, 2, "impatient")
        self.assertGreaterEqual(fault.methods["stock.v1.Connection/Ping"], 1)

    def test_a_server_that_restarts(self):
        shop.supply(self.sku, 10_000)
        following = self.begin("follows_all", shop.tcp, shop.unix, 1500, 2_000)
        for _ in range(2):
            before = shop.figures(self.sku)[1]
            while shop.figures(self.sku)[1] < before + 20 and following.poll() is None:
                time.sleep(0.01)
            self.assertIsNone(following.poll(), "it sold everything before the server could be restarted")
            shop.kill_stockd()
            shop.start_stockd()
        self.end(following)

    def test_a_stream_that_the_server_ends(self):
        full = dict(reason="OVERLOADED", retryable=True)
        self.follow_through(faults.EndedStream(3, **full), 20, 65_536, 1)
        self.run_through(faults.EndedStream(1, **full), "stream_fails", "RESOURCE_EXHAUSTED", "OVERLOADED", 0,
                         "once", supply=0)
        self.run_through(faults.EndedStream(1, reason="TOKEN_TOO_OLD"), "stream_fails", "OUT_OF_RANGE",
                         "TOKEN_TOO_OLD", 0, supply=0)
        self.run_through(faults.EndedStream(1), "stream_fails", "OK", "", 0, supply=0)
        self.run_through(faults.CutStream(1, times=1), "stream_fails", "UNAVAILABLE", "CONNECTION_LOST", 1,
                         "once", supply=0)
        self.run_scenario("stream_fails", f"127.0.0.1:{free_port()}", "UNAVAILABLE", "UNREACHABLE", 0,
                          "no-wait")

    def test_items_that_are_none(self):
        malformed = ("stream_fails", "INTERNAL", "MALFORMED_REPLY")
        self.run_through(faults.WrongItems(), *malformed, 0)
        self.run_through(faults.WrongItems(token=2_000), *malformed, 0, supply=0)
