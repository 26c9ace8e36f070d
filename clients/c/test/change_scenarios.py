"""What a person does with stock and holds, and changes with faults in between."""

import subprocess

import proxy
from books import BookedShop
from running import ClientTest, shop
from running import open_shop as setUpModule  # noqa: F401

TOGETHER = ("Reservations/Extend", "Reservations/Release", "Stock/Adjust", "Stock/Set", "Stock/Retire",
            "Stock/List")
CHANGES = ("Reservations/Confirm", "Reservations/Cancel", *TOGETHER)


class TestOrders(ClientTest):
    def test_orders_over_tcp_and_unix(self):
        self.run_scenario("orders", shop.tcp)
        self.sku += "u"
        self.run_scenario("orders", shop.unix)

    def test_every_sku_is_on_one_page(self):
        prefix = self.sku + "."
        for number in range(23):
            shop.supply(f"{prefix}{number:02}", 10 + number)
        shop.retire(prefix + "00")
        subprocess.run(["redis-cli", "-s", shop.redis_socket, "SET", f"stock:{prefix}01", "77"], check=True,
                       stdout=subprocess.DEVNULL)
        self.run_scenario("listed", shop.unix, prefix, 23)


class TestBooks(ClientTest):
    def test_stubs_over_a_client_of_the_worker(self):
        booked = BookedShop()
        self.addCleanup(booked.close)
        booked.open()
        booked.supply(self.sku, 1000)
        self.run_scenario("reserves", booked.unix, "HELD", 1, 1)
        self.run_scenario("book_stubs", booked.worker)


class TestChanges(ClientTest):
    def test_torn_and_delayed_replies(self):
        for fault in (proxy.Torn(), proxy.Delayed()):
            self.sku += "t"
            self.run_through(fault, "changes", "DONE", 1)

    def test_a_lost_reply_is_found_out(self):
        self.run_through(proxy.CutReply(2).about(*CHANGES), "changes", "REPEATED", 3)

    def test_a_lost_request_is_made_again(self):
        self.run_through(proxy.CutRequest(2).about(*CHANGES), "changes", "DONE", 3)

    def test_a_server_that_dies_between_send_and_reply(self):
        def crash():
            shop.kill_stockd()
            shop.start_stockd()

        fault = proxy.CutReply(1, crash).about(*CHANGES)
        self.run_through(fault, "changes", "REPEATED", 2)
        self.assertEqual(sum(fault.cut.values()), len(CHANGES))

    def test_reordered_replies(self):
        self.run_through(proxy.Reordered(48).about(*TOGETHER), "changes_together", shop.unix)
        self.assert_held(8)

    def test_many_lost_replies(self):
        fault = proxy.CutReply(1).about(*TOGETHER)
        self.run_through(fault, "changes_together", shop.unix)
        self.assertEqual(sum(fault.cut.values()), len(TOGETHER))
        self.assert_held(8)
