"""What is measured: each function starts its own servers and returns one point."""
import json
import os
import re
import socket
import struct
import subprocess
import time

from servers import SKU, Servers, measured, postgres_program, wait_until

WHOLE = {"timeout_ms": 10_000}


class Bench:
    """Where the programs are, and for how long each point is measured."""

    def __init__(self, programs, built, seconds):
        self.programs, self.built, self.seconds = programs, built, seconds
        self.recording = f"{built}/recording"

    # --- StockStream

    def reserves(self, skus=1, units=1_000_000_000, holds=0, redis=(), during=None, **load):
        """Callers through the RPC: rate, times, batch size, CPU-µs of stockd and of Redis for each."""
        with Servers(self.programs) as servers:
            servers.start_redis(*redis)
            servers.start_stockd()
            servers.supply(units, skus)
            if holds:
                measured(f"{self.built}/load", port=servers.stock_port, connections=4, batch=1024, skus=skus,
                         calls=holds // 1024 + 1, seconds=600, ttl_ms=3_600_000, **WHOLE)
            return self.counted(servers, skus=skus, during=during, **load)

    def counted(self, servers, during=None, **load):
        scripts, spent = servers.scripts()
        rewrites = int(servers.info("persistence").get("aof_rewrites", 0))
        load = {"seconds": self.seconds, **WHOLE, **load}
        if during:
            during(servers)
        said = measured(
            f"{self.built}/load", port=servers.stock_port,
            watch=f"{servers.stockd_process},{servers.redis_process}", **load)
        calls = said["calls"]
        done = max(calls["goodput_per_s"], calls["sold_out_per_s"]) * load["seconds"]
        again, spent_again = servers.scripts()
        everything = done * (load["seconds"] + 1) / load["seconds"]
        return {
            "per_s": calls["goodput_per_s"], "sold_out_per_s": calls["sold_out_per_s"],
            "p50_ms": calls["p50_ms"], "p99_ms": calls["p99_ms"], "p999_ms": calls["p999_ms"],
            "stockd_us": said["watched_cpu_s"][0] * 1e6 / max(done, 1),
            "redis_us": said["watched_cpu_s"][1] * 1e6 / max(done, 1),
            "script_us": (spent_again - spent) / max(everything, 1),
            "batch": everything / max(again - scripts, 1),
            "rewrites": int(servers.info("persistence").get("aof_rewrites", 0)) - rewrites,
            "failed": calls["refused"] + calls["deadline_exceeded"] + calls["other"] + said["unanswered"],
            "generator_cpu": said["generator_cpu"]}

    def beside_the_books(self, **load):
        """The same with a worker, as in a shop: what PostgreSQL takes for an event, and what it does to
        the sale, whose disk it shares."""
        with Servers(self.programs) as servers:
            servers.start_shop()
            spent = servers.postgres_cpu()
            found = self.counted(servers, **load)
            wait_until("the books have everything", lambda: not seconds_behind(servers), 60)
            spent = servers.postgres_cpu() - spent
            events, transactions = map(int, servers.sql(
                "SELECT count(*), count(DISTINCT xmin::text) FROM stock_movements").split("|"))
            return {**found, "postgres_us": spent * 1e6 / events, "a_transaction": events / transactions}

    def rewritten(self, **load):
        """The same while Redis writes its file anew."""
        return self.reserves(holds=200_000, during=lambda servers: servers.redis("BGREWRITEAOF"), **load)

    # --- the peers

    def record(self):
        """What stockd says to Redis for one reserve, for `ceiling`."""
        with Servers(self.programs) as servers:
            servers.start_redis(opened=False)
            os.mkdir(f"{servers.folder}/said")
            servers.start("record", [
                "/usr/bin/python3", "infra/bench/latency/record.py", f"{servers.folder}/between.sock",
                f"{servers.folder}/redis.sock", f"{servers.folder}/said"])
            while not os.path.exists(f"{servers.folder}/between.sock"):
                time.sleep(0.02)
            servers.start_stockd("--fence", "off", "--redis", f"unix:{servers.folder}/between.sock")
            servers.supply()
            measured(f"{self.built}/load", port=servers.stock_port, connections=1, calls=4, seconds=1)
            said = [open(f"{servers.folder}/said/{name}", "rb").read()
                    for name in os.listdir(f"{servers.folder}/said")]
        with open(self.recording, "wb") as file:
            file.write(max(said, key=lambda text: text.count(b"EVALSHA")))

    def ceiling(self, batch, flights=1):
        with Servers(self.programs) as servers:
            servers.start_redis(opened=False)
            servers.redis("SET", f"stock:{SKU}", 1_000_000_000)
            said = measured(
                f"{self.built}/ceiling", port=servers.redis_port, recording=self.recording,
                batch=round(batch), flights=flights, seconds=self.seconds, watch=servers.redis_process)
        return peer(said, self.seconds, batch=round(batch))

    def direct(self, connections, rate=0):
        """One script a call, straight to Redis."""
        with Servers(self.programs) as servers:
            servers.start_redis(opened=False)
            servers.redis("SET", f"stock:{SKU}", 1_000_000_000)
            with open("infra/bench/sale/direct.lua", encoding="utf-8") as script:
                sha = servers.redis("SCRIPT", "LOAD", script.read())
            said = measured(
                f"{self.built}/direct-callers", port=servers.redis_port, sha=sha, connections=connections,
                rate=rate, seconds=self.seconds, watch=servers.redis_process)
        return peer(said, self.seconds)

    def row_locks(self, servers, clients, script):
        """PostgreSQL's row locks: pgbench with one of the two scripts beside this file."""
        servers.sql("UPDATE stock SET qty = 1000000000; TRUNCATE holds")
        done = subprocess.run(
            [postgres_program("pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T",
             str(self.seconds), "-f", f"infra/bench/sale/{script}.sql", servers.database],
            capture_output=True, text=True, check=True).stdout
        tps = float(re.search(r"tps = ([0-9.]+)", done).group(1))
        return {"per_s": tps, "p50_ms": float(re.search(r"latency average = ([0-9.]+)", done).group(1))}

    # --- growth, expiry, memory, life

    def memory_per_hold(self, holds=300_000):
        with Servers(self.programs) as servers:
            servers.start_redis("--maxmemory", "4gb")
            servers.start_stockd()
            servers.supply()

            def used():
                stream = servers.redis("MEMORY", "USAGE", "inventory.events", "SAMPLES", 0) or 0
                return int(servers.info("memory")["used_memory"]) - int(stream)
            before = used()
            measured(f"{self.built}/load", port=servers.stock_port, connections=4, batch=1024,
                     calls=holds // 1024 + 1, seconds=600, ttl_ms=3_600_000, **WHOLE)
            made = (holds // 1024 + 1) * 1024
            return {"bytes": (used() - before) / made, "holds": made}

    def expiry(self, holds=20_480):
        """Holds that fall due in the same second: how late each ended, and the longest script."""
        with Servers(self.programs) as servers:
            servers.start_redis("--slowlog-log-slower-than", "1000", "--slowlog-max-len", "100000")
            servers.start_stockd()
            servers.supply()
            measured(f"{self.built}/load", port=servers.stock_port, connections=4, batch=1024,
                     calls=holds // 1024, seconds=5, ttl_ms=4_000, **WHOLE)
            servers.redis("SLOWLOG", "RESET")
            time.sleep(8)
            late, due = lateness(servers)
            slow = re.findall(r"^\d+\n\d{10}\n(\d+)\nEVALSHA", servers.redis("SLOWLOG", "GET", -1), re.M)
            slow = sorted(int(us) for us in slow)
            late.sort()
            return {"holds": len(late), "due_within_ms": max(due) - min(due), "p50_ms": late[len(late) // 2],
                    "p99_ms": late[len(late) * 99 // 100], "worst_ms": late[-1],
                    "longest_script_ms": slow[-1] / 1000 if slow else 1.0,
                    "over_2_ms": sum(us > 2000 for us in slow)}

    def life(self, rate, seconds):
        """Reserve and confirm in an open loop, with a worker: how far the books fall behind."""
        with Servers(self.programs) as servers:
            servers.start_shop()
            load = subprocess.Popen(
                [f"{self.built}/load", f"port={servers.stock_port}", "connections=64", f"rate={rate}",
                 f"seconds={seconds}", "confirm=1", "timeout_ms=10000"], stdout=subprocess.PIPE, text=True)
            behind = []
            while load.poll() is None:
                behind.append(seconds_behind(servers))
                time.sleep(0.25)
            said = json.loads(load.stdout.read())
            return {"rate": rate, "seconds": seconds, "behind_s": max(behind), "calls": said["calls"],
                    "confirms": said["confirms"], "unanswered": said["unanswered"]}


def peer(said, seconds, **more):
    calls = said["calls"]
    return {"per_s": calls["goodput_per_s"], "p50_ms": calls["p50_ms"], "p99_ms": calls["p99_ms"],
            "redis_us": said["watched_cpu_s"][0] * 1e6 / max(calls["goodput_per_s"] * seconds, 1), **more}


def seconds_behind(servers):
    """Age of the oldest entry that the worker has not acknowledged."""
    groups = servers.redis("XINFO", "GROUPS", "inventory.events").splitlines()
    fields = dict(zip(groups[::2], groups[1::2]))
    if not fields:
        return 0
    pending = servers.redis("XPENDING", "inventory.events", "inventory.cg").splitlines()
    oldest = pending[1] if len(pending) > 1 and pending[0] != "0" else None
    if not oldest:
        last = fields["last-delivered-id"]
        after = servers.redis("XRANGE", "inventory.events", f"({last}", "+", "COUNT", 1)
        oldest = after.splitlines()[0] if after else None
    now = servers.redis("TIME").splitlines()
    return max(0, float(now[0]) + float(now[1]) / 1e6 - int(oldest.split("-")[0]) / 1000) if oldest else 0


def lateness(servers):
    """Of every HOLD_EXPIRED in the stream, in ms: when it was written less when it was due."""
    client = socket.create_connection(("127.0.0.1", servers.redis_port))
    client.sendall(b"*4\r\n$6\r\nXRANGE\r\n$16\r\ninventory.events\r\n$1\r\n-\r\n$1\r\n+\r\nPING\r\n")
    said = b""
    while not said.endswith(b"+PONG\r\n"):
        said += client.recv(1 << 20)
    client.close()
    late, due = [], []
    # The change part of an event: created, status, version, changed, expires (events.proto).
    for found in re.finditer(rb"HOLD_EXPIRED\r\n\$(\d+)\r\n", said):
        event = said[found.end():found.end() + int(found.group(1))]
        place = event.rindex(b"\x61", 0, len(event) - 8)
        while event[place - 9:place - 8] != b"\x59":
            place = event.rindex(b"\x61", 0, place)
        changed, = struct.unpack("<Q", event[place - 8:place])
        expires, = struct.unpack("<Q", event[place + 1:place + 9])
        late.append(changed - expires)
        due.append(expires)
    return late, due
