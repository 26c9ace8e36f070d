#!/usr/bin/python3
"""A second client, which shares no code with the first: proof that proto/ is the whole contract.

    /usr/bin/python3 Tests/wire/wire_test.py [TestClass[.test_name] ...]

With STOCK_ADDRESS set, it talks to that server and sells there under new names; else it starts a
redis-server and a stockd of its own, and does to them what a test needs.  STOCKD says which stockd; else
the one of `swift build` is taken.  A whole run on its own server ends with a table of what was answered,
and fails when a method that is served, or a status of WIRE.md, has not been seen.
"""

import os
import sys
import unittest

import coverage
from batch_cases import TestBatchReserve  # noqa: F401
from cases import WireTest
from connection_cases import TestCancel, TestEveryMethod, TestHello  # noqa: F401
from extend_cases import TestExtend  # noqa: F401
from frozen_cases import TestFirstContract  # noqa: F401
from life_cases import TestLife, TestWindows  # noqa: F401
from programs import Programs
from reflection_cases import TestReflection, TestState  # noqa: F401
from sale_cases import TestFields, TestFrames, TestSale  # noqa: F401
from slow_cases import SlowPeers, TestTimeLimits
from stock_cases import TestStockList, TestStockOrders  # noqa: F401
from store_cases import (  # noqa: F401
    TestSilentStore, TestStoreAway, TestStoreForgot, TestStoreIsWrong, TestStoreRefuses)
from stream_cases import TestFollow, TestStreams, TestUnreadStream, TestWatch  # noqa: F401


def run(programs):
    """Whether every test has passed."""
    result = unittest.main(module=__name__, exit=False).result
    passed = result.wasSuccessful()
    if programs and len(sys.argv) == 1:
        for fault in coverage.faults(WireTest.address):
            print("FAIL: coverage:", fault, file=sys.stderr)
            passed = False
    return passed


def main():
    programs = None
    code = 0
    try:
        if "STOCK_ADDRESS" in os.environ:
            host, _, port = os.environ["STOCK_ADDRESS"].rpartition(":")
            WireTest.address = (host, int(port))
        else:
            programs = WireTest.programs = Programs()
            WireTest.address = programs.address
            programs.start_all()
        TestTimeLimits.slow_peers = SlowPeers(WireTest.address)
        passed = run(programs)
        if programs and not passed:
            print(programs.logs(), file=sys.stderr)
    finally:
        if programs:
            code = programs.stop()
    if code != 0:
        sys.exit(f"a program ended with {code} after SIGTERM")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
