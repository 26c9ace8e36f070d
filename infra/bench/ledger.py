#!/usr/bin/env python3
"""Measures the way of an event into the books; infra/bench/ledger.sh starts what this needs.

    ledger.py STOCKWORKER REDIS_SOCKET PG_PORT POSTMASTER_PID

Four things, alternating in one run, on the same rows and the same PostgreSQL:
  worker    stockworker applies a stream that is already there
  by hand   the rows that this left behind, written by the fastest of two hand-made ways: INSERT with
            many rows in VALUES, and COPY; 5,000 events a transaction, one connection, no look at
            what is there, each hold once and in its last state
  single    one event a transaction, by the same worker
  steady    5,000 events a second; the lag of each from its time to its commit
"""
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

WORKER, REDIS, PG_PORT, POSTMASTER = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
EVENTS = int(os.environ.get("EVENTS", "100000"))
PAIRS = int(os.environ.get("PAIRS", "5"))
SINGLES = int(os.environ.get("SINGLES", "2000"))
STEADY_SECONDS = int(os.environ.get("STEADY_SECONDS", "15"))
SEED = int(os.environ.get("SEED", "7"))
LANES = os.environ.get("LANES", "1 2").split()
STEADY_RATE, ENTRY_EVENTS, BATCH = 5000, 25, 5000
TICKS = os.sysconf("SC_CLK_TCK")
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SUFFIX = {"HOLD_CREATED": 1, "HOLD_CONFIRMED": 2, "HOLD_CANCELLED": 3, "HOLD_EXPIRED": 4}


class Redis:
    """Just enough of the protocol, for integers, texts and lists."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(REDIS)
        self.file = self.socket.makefile("rb")

    def call(self, *arguments):
        self.socket.sendall(command(arguments))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return rest


def command(arguments):
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        argument = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
    return b"".join(parts)


# --- Events, as proto/stock/v1/events.proto says

def text(field, value):
    return bytes([field << 3 | 2, len(value)]) + value


class Sale:
    """Holds of a crowd, three of four ended some thousand events later."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.open, self.number = [], 0

    def event(self, now):
        lottery = self.random.random()
        if len(self.open) > 2000 and lottery < 0.43:
            hold, first, created = self.open.pop(self.random.randrange(len(self.open)))
            kind = "HOLD_CONFIRMED" if lottery < 0.33 else "HOLD_CANCELLED"
            return self.encode(kind, first, created, 2, max(now, created))
        self.number += 1
        hold = "H-00" + self.random.choice(ALPHABET[:8]) + "".join(
            self.random.choices(ALPHABET, k=25))
        sku = b"sku-%d" % self.random.randrange(8)
        line = b"\x08" + bytes([self.random.randint(1, 4)]) + text(3, sku)
        first = text(1, hold.encode()) + text(2, b"user-%08d" % self.number) \
            + text(3, b"checkout-%08d-1" % self.number) + text(7, line)
        self.open.append((hold, first, now))
        return self.encode("HOLD_CREATED", first, now, 1, now)

    def encode(self, kind, first, created, version, now):
        body = first + struct.pack("<BQBBBQBQBQ", 0x41, created, 0x48, SUFFIX[kind], 0x51, version,
                                   0x59, now, 0x61, created + 300_000)
        if kind == "HOLD_CONFIRMED":
            body += text(13, b"pay-%010d" % self.random.randrange(10 ** 10))
        return kind.encode(), body


def entry(events):
    return command([b"XADD", b"inventory.events", b"*", b"source", b"1/bench/1"]
                   + [part for event in events for part in event])


def fill(redis, count, size):
    redis.call("FLUSHALL")
    sale, sent = Sale(SEED), 0
    while sent < count:
        chunk = []
        now = int(time.time() * 1000)
        while sent < count and len(chunk) < 200:
            chunk.append(entry([sale.event(now) for _ in range(min(size, count - sent))]))
            sent += min(size, count - sent)
        redis.socket.sendall(b"".join(chunk))
        for _ in chunk:
            redis.reply()


# --- Processes

def cpu(pid):
    """Seconds of one process, and of its children that have ended."""
    try:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / TICKS


def postgres_cpu():
    children = open(f"/proc/{POSTMASTER}/task/{POSTMASTER}/children").read()
    return cpu(POSTMASTER) + sum(cpu(pid) for pid in children.split())


def url(name):
    return f"postgresql://postgres@127.0.0.1:{PG_PORT}/{name}"


def psql(name, *arguments):
    return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url(name), *arguments],
                          check=True, capture_output=True, text=True).stdout.strip()


def fresh(name):
    psql("postgres", "-c", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    psql("postgres", "-c", f"CREATE DATABASE {name}")
    subprocess.run([WORKER, "--database", url(name), "--migrate-to", "latest"], check=True,
                   capture_output=True)
    psql(name, "-c", "CHECKPOINT")


class Worker:
    def __init__(self, name, *more):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [WORKER, "--redis", "unix:" + REDIS, "--database", url(name), "--name", "bench",
             "--listen", "none", *more],
            stderr=self.log)

    def finish(self):
        used = cpu(self.process.pid)
        self.process.terminate()
        if self.process.wait() != 0:
            self.log.seek(0)
            sys.exit("stockworker failed:\n" + self.log.read())
        return used


def done(redis):
    groups = redis.call("XINFO", "GROUPS", "inventory.events")
    if not groups:
        return False
    group = dict(zip(groups[0][::2], groups[0][1::2]))
    return group[b"pending"] == 0 and group[b"lag"] == 0


def measure_worker(redis, name, events, size, *more):
    """Events a second, and CPU seconds of worker and PostgreSQL."""
    fresh(name)
    fill(redis, events, size)
    before, began = postgres_cpu(), time.monotonic()
    worker = Worker(name, *more)
    while not done(redis):
        time.sleep(0.005)
    seconds, used = time.monotonic() - began, worker.finish()
    found = int(psql(name, "-c", "SELECT count(*) FROM processed_events"))
    assert found == events, f"{found} of {events} events are in the books"
    return events / seconds, used, postgres_cpu() - before


# --- The same rows by hand

TABLES = {
    "holds": ("*", "h.*"),
    "orders": ("*", "o.*"),
    "stock_movements": ("*", "m.*"),
}


def write_files(name, folder):
    """Two files for psql, with the rows in the order of the stream: a transaction for BATCH events."""
    psql(name, "-c", f"""
        CREATE TABLE parts AS SELECT event_id, event_type,
          (row_number() OVER (ORDER BY stream_ms, stream_seq, event_id) - 1) / {BATCH} AS part
        FROM processed_events;
        ALTER TABLE parts ADD PRIMARY KEY (event_id); ANALYZE parts""")
    parts = int(psql(name, "-c", "SELECT max(part) FROM parts")) + 1
    keys = {"stock_movements": "t.event_id",
            "holds": "t.hold_id || '/1'", "orders": "t.hold_id || '/2'"}
    paths = {way: os.path.join(folder, way) for way in ("insert", "copy")}
    with open(paths["insert"], "w") as insert, open(paths["copy"], "w") as copy:
        for part in range(parts):
            print("BEGIN;", file=insert)
            print("BEGIN;", file=copy)
            for table, key in keys.items():
                rows = f"SELECT t.* FROM {table} t JOIN parts p ON p.event_id = {key} " \
                       f"WHERE part = {part}"
                lines = psql(name, "-c", f"COPY ({rows}) TO STDOUT")
                if not lines:
                    continue
                print(f"COPY {table} FROM STDIN;\n{lines}\n\\.", file=copy)
                values = [
                    "(" + ",".join("NULL" if value == "\\N" else f"'{value}'"
                                   for value in line.split("\t")) + ")"
                    for line in lines.split("\n")]
                for first in range(0, len(values), 1000):
                    print(f"INSERT INTO {table} VALUES\n" + ",\n".join(values[first:first + 1000])
                          + ";", file=insert)
            print("COMMIT;", file=insert)
            print("COMMIT;", file=copy)
    return paths


def measure_hand(path):
    fresh("hand")
    before, began = postgres_cpu(), time.monotonic()
    psql("hand", "-f", path)
    seconds = time.monotonic() - began
    assert int(psql("hand", "-c", "SELECT count(*) FROM stock_movements")) == EVENTS
    return EVENTS / seconds, postgres_cpu() - before


def measure_steady(redis, *more):
    """Percentiles of the lag in milliseconds."""
    fresh("steady")
    redis.call("FLUSHALL")
    worker = Worker("steady", *more)
    sale, number = Sale(SEED), 0
    time.sleep(1)  # connections and statements
    began = time.monotonic()
    for number in range(STEADY_SECONDS * STEADY_RATE // ENTRY_EVENTS):
        wait = began + number * ENTRY_EVENTS / STEADY_RATE - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        now = int(time.time() * 1000)
        redis.socket.sendall(entry([sale.event(now) for _ in range(ENTRY_EVENTS)]))
        redis.reply()
    seconds = time.monotonic() - began
    while not done(redis):
        time.sleep(0.01)
    worker.finish()
    lag = psql("steady", "-c", """
        SELECT percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY
          1000 * extract(epoch FROM pg_xact_commit_timestamp(xmin) - event_time))
        FROM stock_movements""")
    return (number + 1) * ENTRY_EVENTS / seconds, [float(ms) for ms in lag.strip("{}").split(",")]


def middle(values):
    return f"{statistics.median(values):10,.0f}  ({min(values):,.0f} to {max(values):,.0f})"


def main():
    redis = Redis()
    rates, ratios, cpus = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        measure_worker(redis, "books", EVENTS, ENTRY_EVENTS)
        paths = write_files("books", folder)
        for _ in range(PAIRS):
            hand = {}
            for way, path in paths.items():
                hand[way], used = measure_hand(path)
                rates.setdefault(f"by hand, {way}", []).append(hand[way])
                cpus.setdefault(f"by hand, {way}", []).append((0, used))
            for lanes in LANES:
                rate, used, postgres = measure_worker(
                    redis, "books", EVENTS, ENTRY_EVENTS, "--lanes", lanes)
                name = f"worker, {lanes} lane(s)"
                rates.setdefault(name, []).append(rate)
                cpus.setdefault(name, []).append((used, postgres))
                ratios.setdefault(name, []).append(rate / max(hand.values()))
                ratios.setdefault(name + " to INSERT", []).append(rate / hand["insert"])
            single, _, _ = measure_worker(
                redis, "single", SINGLES, 1, "--lanes", "1", "--batch-bytes", "1")
            rates.setdefault("worker, one event a transaction", []).append(single)
        steady = [measure_steady(redis) for _ in range(max(1, PAIRS // 2))]

    print(f"\n{EVENTS:,} events in entries of {ENTRY_EVENTS}, {PAIRS} rounds, seed {SEED}; medians")
    print("\nevents a second")
    for name, values in rates.items():
        print(f"  {name:34}{middle(values)}")
    print("\nratios")
    for name, values in ratios.items():
        against = "the fastest by hand" if "INSERT" not in name else "multi-row INSERT"
        print(f"  {name.removesuffix(' to INSERT'):18} / {against:22}"
              f"{statistics.median(values):6.2f}  ({min(values):.2f} to {max(values):.2f})")
    single = statistics.median(rates["worker, one event a transaction"])
    for lanes in LANES:
        name = f"worker, {lanes} lane(s)"
        print(f"  {name:18} / {'one event a transaction':22}"
              f"{statistics.median(rates[name]) / single:6.1f}")
    print("\nCPU, µs an event: worker, PostgreSQL, and the one as a share of the other")
    for name, pairs in cpus.items():
        own, postgres = (statistics.median(values) / EVENTS * 1e6 for values in zip(*pairs))
        print(f"  {name:34}{own:7.1f}{postgres:8.1f}{own / postgres:8.2f}")
    print(f"\nlag at a steady rate, ms: p50, p99, the longest (target: p99 under 1,000)")
    for rate, (p50, p99, most) in steady:
        print(f"  {rate:,.0f} events a second {p50:12.1f}{p99:8.1f}{most:8.1f}")


main()
