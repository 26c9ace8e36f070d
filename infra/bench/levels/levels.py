"""What each level of acknowledgement costs: levels.py PROGRAMS CLIENT CIRCUMSTANCES RESULT [options]

See infra/bench/levels.sh.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "sale"))
from servers import SKU, Servers, free_port, wait_until  # noqa: E402

# As stock_acknowledge of the C client counts them.
LEVELS = {"MEMORY": 1, "FSYNC": 2, "REPLICA": 3, "LEDGER": 4}
PROMISES = {
    "MEMORY": "a crash of Redis may forget it",
    "FSYNC": "Redis's disk has it",
    "REPLICA": "and a replica has it in memory",
    "LEDGER": "Redis's disk has it, and PostgreSQL",
}


def start_replica(servers):
    port, folder = free_port(), f"{servers.folder}/replica"
    os.mkdir(folder)
    servers.start("replica", [
        "redis-server", "infra/redis/redis.conf", "--port", str(port), "--dir", folder,
        "--replicaof", "127.0.0.1", str(servers.redis_port)])
    wait_until("the replica follows",
               lambda: "state=online" in servers.info("replication").get("slave0", ""))


class Shop(Servers):
    """Answers on a Unix socket as well."""

    def sell(self, *settings):
        self.socket = f"unix:{self.folder}/stockd.sock"
        self.stock_port = free_port()
        self.start("stockd", [
            f"{self.programs}/stockd", "--listen", f"127.0.0.1:{self.stock_port},{self.socket}",
            "--shards", "1", "--redis", f"unix:{self.folder}/redis.sock", *settings])
        wait_until("stockd sells", lambda: self.stockctl("health").returncode == 0, 60)
        self.supply()

    def keeps(self, level):
        """Whether the level can be promised by now."""
        asked = self.stockctl("reserve", SKU, "--user", "ready", "--key", level, "--ack", level)
        return asked.returncode == 0

    def measure(self, client, level, user, calls):
        done = subprocess.run(
            [client, self.socket, SKU, user, str(calls), "0", str(LEVELS[level])], capture_output=True,
            text=True, check=False, timeout=900)
        if done.returncode:
            sys.exit(f"{level}: {done.stderr}")
        return json.loads(done.stdout)


def main():
    arguments = argparse.ArgumentParser(prog="infra/bench.sh levels")
    for name in ("programs", "client", "circumstances", "result"):
        arguments.add_argument(name, help=argparse.SUPPRESS)
    arguments.add_argument("--calls", type=int, default=2_000, help="of each level in each round")
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()

    runs = {level: [] for level in LEVELS}
    with Shop(options.programs) as quick, Shop(options.programs) as safe:
        quick.start_redis("--appendfsync", "everysec")
        quick.sell("--acknowledge", "memory")
        safe.start_redis("--repl-diskless-sync-delay", "0")
        start_replica(safe)
        safe.start_postgres()
        safe.start_worker()
        safe.sell()
        for level in ("REPLICA", "LEDGER"):
            wait_until(f"{level} can be promised", lambda level=level: safe.keeps(level.lower()))
        for number in range(options.rounds):
            for level, found in runs.items():
                shop = quick if level == "MEMORY" else safe
                found.append(shop.measure(options.client, level, f"{level}-{number}", options.calls))

    table = []
    print(f"{options.calls} calls of each level in each of {options.rounds} rounds; medians (and spread)")
    print(f"{'':9}{'p50 µs':>10}{'p99 µs':>10}  times FSYNC")
    for level, found in runs.items():
        p50, p99 = (statistics.median(run[key] for run in found) for key in ("p50_us", "p99_us"))
        # Of one round each, so that what else the machine does falls on both.
        ratios = [run["p50_us"] / beside["p50_us"] for run, beside in zip(found, runs["FSYNC"])]
        print(f"{level:9}{p50:10.0f}{p99:10.0f}  {statistics.median(ratios):.2f} "
              f"({min(ratios):.2f} to {max(ratios):.2f}): {PROMISES[level]}")
        table.append({"level": level, "p50_us": p50, "p99_us": p99, "ratios": ratios, "runs": found})
    with open(options.result, "w", encoding="utf-8") as result:
        json.dump({"circumstances": json.loads(options.circumstances), "calls": options.calls,
                   "table": table}, result, ensure_ascii=False, indent=1)


main()
