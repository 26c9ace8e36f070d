"""Runs scenarios (scenarios.c) against a real server, and with faults in between."""

import atexit
import os
import subprocess
import sys
import unittest
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "test"))
from proxy import Proxy  # noqa: E402
from shop import Shop  # noqa: E402

C = os.path.dirname(HERE)
BUILT = os.path.join(C, "build")
SANITIZED = [os.path.join(BUILT, "sanitize", "scenarios")]
VALGRIND = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=all",
            "--errors-for-leak-kinds=all", os.path.join(BUILT, "scenarios")]

shop = Shop()


def open_shop():
    """As setUpModule of each module with tests: the first opens it, and it closes with the process."""
    if shop.redis is None:
        atexit.register(shop.close)
        shop.open()


class ClientTest(unittest.TestCase):
    program = SANITIZED

    def setUp(self):
        self.sku = "c-" + uuid.uuid4().hex[:12]

    def begin(self, name, address, *words):
        return subprocess.Popen([*self.program, name, address, self.sku, *map(str, words)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self, process):
        try:
            output, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            output += "\nit did not end"
        self.assertEqual(process.returncode, 0, output)

    def run_scenario(self, name, address=None, *words):
        self.end(self.begin(name, address or shop.tcp, *words))

    def run_through(self, fault, name, *words, supply=1000):
        if supply:
            shop.supply(self.sku, supply)
        with Proxy(fault, shop.port) as between:
            self.run_scenario(name, between.address, *words)

    def assert_held(self, units, of=1000):
        self.assertEqual(shop.figures(self.sku), (of - units, units, 0))
