#!/usr/bin/python3
"""libstockstream against a real server, and with faults in between.

    make -C clients/c check sanitize scenarios && /usr/bin/python3 clients/c/test/client_test.py

STOCKD says which stockd, with its stockworker beside it; else the one of `swift build` is taken.  Every
scenario (scenarios.c) runs under
AddressSanitizer and UndefinedBehaviorSanitizer; those of TestMemory under valgrind too.
"""

import os
import re
import socket
import subprocess
import tempfile
import time
import unittest
import uuid

from running import BUILT, C, HERE, VALGRIND, ClientTest, shop
from running import open_shop as setUpModule  # noqa: F401
from change_scenarios import TOGETHER, TestBooks, TestChanges, TestOrders  # noqa: F401
from stream_scenarios import TestStreams  # noqa: F401

import late_faults
import proxy
import stream_faults
from proxy import Proxy, envelope
from shop import free_port

CC = "cc -std=c11 -Wall -Wextra -Werror"


class TestCalls(ClientTest):
    def test_parts(self):
        self.run_scenario("units", "-")
        self.run_scenario("addresses", "-")

    def test_a_sale_over_tcp_and_unix(self):
        self.run_scenario("sale", shop.tcp)
        self.sku += "u"
        self.run_scenario("sale", shop.unix)

    def test_acknowledgement(self):
        self.run_scenario("acknowledged")

    def test_refusals(self):
        self.run_scenario("refusals")

    def test_batch(self):
        self.run_scenario("batch")

    def test_a_client_each_for_several_threads(self):
        self.run_scenario("several_clients", shop.unix)

    def test_busy_polling(self):
        shop.supply(self.sku, 1000)
        self.run_scenario("busy_polling", shop.unix)
        self.assert_held(100)

    def test_pipelined(self):
        shop.supply(self.sku, 1000)
        self.run_scenario("pipelined")
        self.assert_held(500)

    def test_the_callers_own_loop(self):
        shop.supply(self.sku, 1000)
        self.run_scenario("own_loop")
        self.assert_held(100)

    def test_teardown_completes_each_call_once(self):
        self.run_scenario("teardown")

    def test_limits_and_one_way_at_a_time(self):
        self.run_scenario("bounded")
        self.run_scenario("one_way_at_a_time")

    def test_stubs(self):
        self.run_scenario("stubs")
        self.run_scenario("stub_failures")
        self.run_scenario("stub_teardown")

    def test_nothing_is_allocated_after_warm_up_and_calls_travel_together(self):
        shop.supply(self.sku, 1_000_000)
        for address in (shop.tcp, shop.unix):
            done = subprocess.run([os.path.join(BUILT, "allocations"), address, self.sku], timeout=60,
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)


class TestFaults(ClientTest):
    def test_torn_and_delayed_replies(self):
        self.run_through(proxy.Torn(), "reserves", "HELD", 1, 3)
        self.sku += "d"
        self.run_through(proxy.Delayed(), "reserves", "HELD", 1, 3)
        self.assert_held(3)

    def test_reordered_replies(self):
        self.run_through(proxy.Reordered(100), "pipelined", 200)
        self.assert_held(200)

    def test_a_lost_reply_is_found_out(self):
        self.run_through(proxy.CutReply(2), "reserves", "REPEATED", 3, 5)
        self.assert_held(5)

    def test_a_call_says_until_when_it_is_waited_for(self):
        fault = late_faults.Calls()
        self.run_through(fault, "reserves", "REPEATED", 2, 2, "deadline-at")
        (_, first), (_, again), _ = fault.seen
        for at, call in fault.seen:
            self.assertAlmostEqual(call.deadline_at, at + call.timeout_ms, delta=5_000)
        self.assertAlmostEqual(first.deadline_at, again.deadline_at, delta=1_000)
        self.sku += "p"
        plain = late_faults.Calls()
        self.run_through(plain, "reserves", "REPEATED", 2, 2)
        self.assertEqual([call.deadline_at for _, call in plain.seen], [0, 0, 0])

    def test_a_lost_request_is_made_again(self):
        self.run_through(proxy.CutRequest(2), "reserves", "HELD", 3, 5)
        self.assert_held(5)

    def test_many_lost_replies(self):
        self.run_through(proxy.CutReply(3), "pipelined", 200)
        self.assert_held(200)

    def test_a_server_that_dies_between_send_and_reply(self):
        def crash():
            shop.kill_stockd()
            shop.start_stockd()

        self.run_through(proxy.CutReply(1, crash), "reserves", "REPEATED", 2, 5)
        self.assert_held(5)

    def test_a_server_that_restarts(self):
        shop.supply(self.sku, 10_000)
        selling = self.begin("keeps_selling", shop.tcp, 1500)
        for _ in range(2):
            before = shop.figures(self.sku)[1]
            while shop.figures(self.sku)[1] < before + 20 and selling.poll() is None:
                time.sleep(0.01)
            self.assertIsNone(selling.poll(), "it sold everything before the server could be restarted")
            self.assertEqual(shop.end_stockd(), 0)
            shop.start_stockd()
        self.end(selling)

    def test_overload_is_repeated_after_the_pause_asked_for(self):
        fault = proxy.Refused(3, envelope.CODE_RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_ms=150)
        self.run_through(fault, "reserves", "HELD", 4, 1)
        pauses = [later - earlier for earlier, later in zip(fault.at, fault.at[1:])]
        self.assertEqual(len(pauses), 3)
        self.assertGreaterEqual(min(pauses), 0.149)

    def test_repeats_end(self):
        unavailable = dict(code=envelope.CODE_RESOURCE_EXHAUSTED, reason="OVERLOADED")
        fails = ("fails", "RESOURCE_EXHAUSTED", "OVERLOADED", 0, 20000)
        self.run_through(proxy.Refused(100, **unavailable), *fails, 8)
        self.run_through(proxy.Refused(100, **unavailable), *fails, 1, "once", supply=0)
        self.run_through(proxy.Refused(100, **unavailable), *fails, 1, "no-budget", supply=0)
        self.run_through(proxy.CutReply(100), "fails", "UNAVAILABLE", "CONNECTION_LOST", 1, 20000, 1, "once",
                         supply=0)

    def test_silence(self):
        self.run_through(proxy.Silent(100), "fails", "DEADLINE_EXCEEDED", "NO_ANSWER", 1, 300, 1)
        fault = proxy.Silent(1)
        self.run_through(fault, "reserves", "HELD", 2, 3, "impatient", supply=0)
        self.assertEqual(fault.methods["stock.v1.Connection/Ping"], 1)
        self.assertEqual(fault.connections, 2)

    def test_nobody_listens(self):
        unreachable = ("fails", f"127.0.0.1:{free_port()}", "UNAVAILABLE", "UNREACHABLE", 0)
        self.run_scenario(*unreachable, 300, 0)
        self.run_scenario(*unreachable, 20000, 0, "no-wait")
        self.run_scenario("fails", "unix:/nonexistent/stockd.sock", *unreachable[2:], 300, 0)
        # An address that takes no connection: the queue of a listener that never accepts is full.
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            first.connect(full.getsockname())
            second.setblocking(False)
            second.connect_ex(full.getsockname())
            address = "127.0.0.1:%d" % full.getsockname()[1]
            self.run_scenario("fails", address, *unreachable[2:], 600, 0, "short-dial")

    def test_a_connection_that_is_not_taken(self):
        self.run_through(proxy.TurnedAway(100), "fails", "UNAVAILABLE", "UNREACHABLE", 0, 20000, 1, "once",
                         "connections-per-peer-max: 7")
        fault = proxy.TurnedAway(2)
        self.run_through(fault, "reserves", "HELD", 3, 3, supply=0)
        self.assertEqual(fault.connections, 3)

    def test_new_calls_leave_a_connection_that_goes(self):
        fault = proxy.GoingAway()
        shop.supply(self.sku, 1000)
        with Proxy(fault, shop.port) as between:
            self.run_scenario("going_away", between.address)
        self.assertEqual((fault.connections, fault.late), (2, 0))
        self.assert_held(2)

    def test_two_connections_that_go(self):
        fault = proxy.GoingTwice()
        self.run_through(fault, "going_twice")
        self.assertEqual(fault.connections, 3)
        self.assert_held(2)

    def test_another_server_of_the_shop(self):
        shop.supply(self.sku, 1000)
        nobody = f"127.0.0.1:{free_port()}"
        unhealthy, leaving = proxy.Unhealthy(), proxy.Refused(1, envelope.CODE_UNAVAILABLE, "STORE_REFUSED")
        with Proxy(unhealthy, shop.port) as sick, Proxy(leaving, shop.port) as going:
            addresses = ",".join((nobody, sick.address, going.address, shop.unix))
            self.run_scenario("reserves", addresses, "HELD", 2, 5)
        self.assertEqual(unhealthy.methods[proxy.RESERVE], 0)
        self.assertEqual(leaving.methods[proxy.RESERVE], 1)
        self.assert_held(5)

    def test_versions_of_the_protocol(self):
        self.run_through(proxy.Hello(envelope.CODE_UNIMPLEMENTED, "UNKNOWN_METHOD"), "reserves", "HELD", 1, 3)
        self.run_through(proxy.Hello(envelope.CODE_FAILED_PRECONDITION, "PROTOCOL_UNSUPPORTED"), "fails",
                         "FAILED_PRECONDITION", "PROTOCOL_UNSUPPORTED", 0, 5000, 1, supply=0)
        self.run_through(proxy.Newer(), "reserves", "?", 1, 1, supply=0)

    def test_bytes_that_are_no_reply(self):
        lost = ("fails", "UNAVAILABLE", "CONNECTION_LOST", 1, 20000, 1, "once")
        for data in (b"\xff\xff\xff\xff", b"\0\0\0\2\x0a\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n"):
            self.run_through(proxy.Garbage(data), *lost)
        self.run_through(proxy.Wrong(), "fails", "INTERNAL", "MALFORMED_REPLY", 1, 20000, 1, "once", supply=0)


class TestInstalled(unittest.TestCase):
    """Programs of others, built from nothing but what `make install` has installed."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="stockstream-installed-")
        cls.prefix = os.path.join(cls.folder.name, "usr")
        cls.make("install")
        cls.sku = "c-" + uuid.uuid4().hex[:12]
        shop.supply(cls.sku, 100)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def make(cls, *words):
        subprocess.run(["make", "--silent", "-C", C, "PREFIX=" + cls.prefix, *words], check=True)

    def environment(self):
        return os.environ | {"PKG_CONFIG_PATH": os.path.join(self.prefix, "lib", "pkgconfig"),
                             "LD_LIBRARY_PATH": os.path.join(self.prefix, "lib"),
                             "PREFIX": self.prefix, "AT": self.folder.name,
                             "FROM": os.path.join(HERE, "downstream")}

    def build(self, command):
        done = subprocess.run(["sh", "-c", "cd $AT && " + command], env=self.environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)

    def buy(self, program, key):
        done = subprocess.run([os.path.join(self.folder.name, program), shop.unix, self.sku, key],
                              env=self.environment(), capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, "HELD REPEATED\n"), done.stderr)

    def test_c(self):
        self.build(f"{CC} -o c $FROM/buyer.c $(pkg-config --cflags --libs stockstream)")
        self.buy("c", "c")

    def test_c_linked_statically(self):
        self.build(f"{CC} -o c-static $FROM/buyer.c $(pkg-config --cflags stockstream)"
                   " $PREFIX/lib/libstockstream.a $(pkg-config --libs stockstream-contracts)")
        needed = subprocess.run(["readelf", "-d", os.path.join(self.folder.name, "c-static")], text=True,
                                check=True, capture_output=True).stdout
        self.assertNotIn("libstockstream", needed)
        self.buy("c-static", "c-static")

    def test_stubs(self):
        self.build(f"{CC} -o stubs $FROM/stubs.c"
                   " $(pkg-config --cflags --libs stockstream stockstream-contracts)")
        self.buy("stubs", "stubs")

    def test_cpp(self):
        self.build("g++ -std=c++17 -Wall -Wextra -Werror -pedantic -o cpp $FROM/buyer.cc"
                   " $(pkg-config --cflags --libs stockstream)")
        self.buy("cpp", "cpp")

    def test_swift(self):
        self.build("cp -r $FROM swift && cd swift && swift build --scratch-path $AT/swift-build"
                   " -Xlinker -L$PREFIX/lib && cp $AT/swift-build/debug/Buyer $AT/swift-buyer")
        self.buy("swift-buyer", "swift")

    def test_the_readme(self):
        """Its program, built with its command, against our server and SKU."""
        with open(os.path.join(C, "README.md"), encoding="utf-8") as page:
            readme = page.read()
        programs = re.findall(r"^```c\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
        command = re.search(r"^    (cc -o first .*)$", readme, re.MULTILINE).group(1)
        for name, program in zip(("first", "watch"), programs, strict=True):
            for theirs, ours in (("127.0.0.1:7420", shop.unix), ("iphone_15_pro_256", self.sku + "-readme")):
                self.assertIn(theirs, program)
                program = program.replace(theirs, ours)
            with open(os.path.join(self.folder.name, name + ".c"), "w", encoding="utf-8") as source:
                source.write(program)
            self.build(command.replace("first", name))
        for outcome in ("HELD H-", "REPEATED H-"):
            said = subprocess.run(
                [os.path.join(self.folder.name, "first")], env=self.environment(), check=True, text=True,
                stdout=subprocess.PIPE, timeout=60).stdout
            self.assertTrue(said.startswith(outcome), said)
        watch = subprocess.Popen(
            ["stdbuf", "-oL", os.path.join(self.folder.name, "watch")], env=self.environment(), text=True,
            stdout=subprocess.PIPE)
        self.addCleanup(watch.stdout.close)
        self.addCleanup(watch.wait)
        self.addCleanup(watch.kill)
        self.assertEqual(watch.stdout.readline(), "2 left\n")

    def test_what_the_shared_library_needs(self):
        needed = subprocess.run(["readelf", "-d", os.path.join(self.prefix, "lib", "libstockstream.so.1")],
                                text=True, check=True, capture_output=True).stdout
        libraries = {line.split("[")[1].rstrip("]") for line in needed.splitlines() if "(NEEDED)" in line}
        self.assertEqual(libraries, {"libprotobuf-c.so.1", "libc.so.6"})

    def test_uninstall_leaves_nothing(self):
        stage = os.path.join(self.folder.name, "stage")
        self.make("install", "DESTDIR=" + stage)
        self.assertTrue(os.path.exists(stage + self.prefix + "/include/stockstream.h"))
        self.make("uninstall", "DESTDIR=" + stage)
        self.assertEqual([name for _, _, names in os.walk(stage) for name in names], [])


class TestMemory(ClientTest):
    program = VALGRIND

    def test_calls(self):
        self.run_scenario("units", "-")
        self.run_scenario("sale", shop.unix)

    def test_pipelined_and_torn_down(self):
        shop.supply(self.sku, 1000)
        self.run_scenario("pipelined", shop.tcp, 200)
        self.run_scenario("teardown")
        self.run_scenario("stubs")
        self.run_scenario("stub_teardown")

    def test_orders_and_changes(self):
        self.run_scenario("orders")
        self.sku += "t"
        self.run_through(proxy.CutReply(1).about(*TOGETHER), "changes_together", shop.unix)

    def test_streams(self):
        self.run_scenario("followed")
        self.run_scenario("metadata")
        self.run_scenario("stream_teardown")
        self.sku += "l"
        self.run_through(stream_faults.CutStream(20, times=2), "follows_all", shop.tcp, 60, 1_000)

    def test_faults(self):
        self.run_through(proxy.CutReply(3), "pipelined", 100)
        self.run_through(proxy.Wrong(), "fails", "INTERNAL", "MALFORMED_REPLY", 1, 20000, 1, "once", supply=0)


if __name__ == "__main__":
    unittest.main(verbosity=1)
