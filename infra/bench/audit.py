#!/usr/bin/env python3
"""Measures the continuous audit; infra/bench/audit.sh starts what this needs.

    audit.py ADDRESS REDIS_SOCKET REDIS_PID WORKER_PID STOCKCTL

It fills the shop, and then measures how long an audit on demand takes, what the audit takes of a core while
nothing happens, how long scripts and SCANs hold Redis, how soon a difference is named, and whether a crowd
makes it cry wolf.
"""
import json
import os
import random
import statistics
import subprocess
import sys
import time

from stockstream import Reservation, StockClient

ADDRESS, SOCKET, REDIS_PID, WORKER_PID, STOCKCTL = sys.argv[1:6]
HOLDS = int(os.environ.get("HOLDS", "100000"))
SKUS = int(os.environ.get("SKUS", "2000"))
SECONDS = int(os.environ.get("SECONDS_MEASURED", "20"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
TICKS = os.sysconf("SC_CLK_TCK")


def redis(*arguments):
    return subprocess.run(["redis-cli", "-s", SOCKET, *arguments], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def psql(sql):
    return subprocess.run(["psql", "-XqAt", "-d", os.environ["DATABASE_URL"], "-c", sql], check=True,
                          text=True, stdout=subprocess.PIPE).stdout.strip()


def audit(field):
    return redis("HGET", "inventory.audit", field)


def wait(what, condition, limit=300):
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > limit:
            sys.exit(f"within {limit} s it did not come true: {what}; {redis('HGETALL', 'inventory.audit')}")
        time.sleep(0.02)
    return time.monotonic() - start


def cpu(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def fill():
    with StockClient(ADDRESS) as shop:
        for sku in range(SKUS):
            shop.set_stock(f"sku-{sku}", 1_000_000, request_id=f"fill-{sku}", timeout_s=30)
        for first in range(0, HOLDS, 2000):
            items = [Reservation(f"sku-{number % SKUS}", "u", f"k-{number}", 1, 86_400_000)
                     for number in range(first, min(first + 2000, HOLDS))]
            last = shop.reserve_batch(items, timeout_s=60)[-1]
    return last.hold_id


def costs():
    backend = psql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'stockworker audit%'")
    pids = {"redis": REDIS_PID, "worker": WORKER_PID, "postgresql": backend}
    redis("CONFIG", "RESETSTAT")
    start, before = time.monotonic(), {name: cpu(pid) for name, pid in pids.items()}
    time.sleep(SECONDS)
    elapsed = time.monotonic() - start
    shares = {name: (cpu(pid) - before[name]) / elapsed * 100 for name, pid in pids.items()}
    held, calls = {}, {}
    for line in redis("INFO", "commandstats").splitlines():
        name, _, rest = line.removeprefix("cmdstat_").partition(":")
        if name in ("eval", "scan"):
            fields = dict(part.split("=") for part in rest.split(","))
            held[name], calls[name] = float(fields["usec_per_call"]), int(fields["calls"]) / elapsed
    return shares, held, calls


def detection(hold):
    times = {"HOLD_STATE": [], "COUNTER_DRIFT": []}
    for _ in range(ROUNDS):
        time.sleep(random.uniform(0, 5))
        psql(f"UPDATE holds SET expires_at = expires_at + '1 s' WHERE hold_id = '{hold}'")
        times["HOLD_STATE"].append(wait("HOLD_STATE", lambda: "HOLD_STATE" in audit("kinds")))
        psql(f"UPDATE holds SET expires_at = expires_at - '1 s'::interval WHERE hold_id = '{hold}'")
        wait("it is gone", lambda: audit("kinds") == "")
        redis("HINCRBY", "sku:sku-7", "supplied", "1")
        times["COUNTER_DRIFT"].append(wait("COUNTER_DRIFT", lambda: "COUNTER_DRIFT" in audit("kinds")))
        redis("HINCRBY", "sku:sku-7", "supplied", "-1")
        wait("it is gone", lambda: audit("kinds") == "")
    return times


def main():
    wait("the server sells", lambda: subprocess.run(
        [STOCKCTL, "health", "--address", ADDRESS], stdout=subprocess.DEVNULL).returncode == 0)
    hold = fill()
    wait("the books have it all", lambda: redis("HGET", "inventory.worker", "lag_entries") == "0")
    report = json.loads(subprocess.run(
        [STOCKCTL, "audit", "--json"], text=True, stdout=subprocess.PIPE).stdout)
    # What was written last is passed once more.
    time.sleep(max(30, HOLDS / 5_000))
    shares, held, calls = costs()
    print(f"\n{HOLDS:,} holds, {SKUS:,} SKUs, nothing else going on; an audit on demand takes "
          f"{report['took_ms']:,} ms: {report['verdict']}")
    for name, share in shares.items():
        print(f"  {name:12}{share:6.1f} % of a core")
    for name in held:
        print(f"  {name:12}{held[name]:6.0f} µs of Redis each, {calls[name]:.0f} a second")
    times = detection(hold)
    for kind, values in times.items():
        print(f"  {kind:15} named after {statistics.median(values):.1f} s, at most {max(values):.1f} s")
    result = subprocess.run([STOCKCTL, "bench", "--address", ADDRESS, "--seconds", "10", "--json"],
                            text=True, stdout=subprocess.PIPE)
    wait("the books have it all", lambda: redis("HGET", "inventory.worker", "lag_entries") == "0")
    time.sleep(6)
    sold = int(psql("SELECT count(*) FROM holds")) - HOLDS
    print(f"  {sold:,} reserves in ten seconds beside it: {audit('verdict')}, "
          f"{audit('differences')} differences")
    folder = os.environ.get("BENCH_FOLDER", ".data/bench")
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/audit.json", "w") as file:
        json.dump({"holds": HOLDS, "skus": SKUS, "cpu_percent": shares, "redis_us": held, "calls": calls,
                   "took_ms": report["took_ms"], "seconds_to_find": times,
                   "verdict": audit("verdict"), "crowd": result.stdout}, file)


main()
