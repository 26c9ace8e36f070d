"""The sale beside what one would otherwise pick: sale.py PROGRAMS BUILT CIRCUMSTANCES RESULTS [options]

See infra/bench/sale.sh.  Rounds alternate; each point of each round has servers of its own.
"""
import argparse
import json
import statistics
import sys

from points import Bench
from report import write
from servers import SKU, Servers

# With 1,024 items from each of four callers a whole batch always waits, and stockd has two on their way;
# 256 calls in all leave less than a whole one waiting, and one is.
WHOLE_BATCHES_OUT = 2

GROWTH_SKUS, GROWTH_HOLDS, GROWTH_CONNECTIONS = (1, 128, 1_000, 100_000), (10_000, 3_000_000), (8, 5_000)


def one_round(bench, point):
    """Everything that is compared with a peer, once."""
    with Servers(bench.programs) as servers:
        servers.start_postgres()
        servers.sql(f"CREATE TABLE stock (sku text PRIMARY KEY, qty bigint NOT NULL CHECK (qty >= 0));"
                    f"INSERT INTO stock VALUES ('{SKU}', 1000000000);"
                    "CREATE TABLE holds (hold_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
                    " sku text NOT NULL, qty bigint NOT NULL, user_id text NOT NULL,"
                    " status text NOT NULL DEFAULT 'ACTIVE',"
                    " expires_at timestamptz NOT NULL, created_at timestamptz NOT NULL DEFAULT now())")
        for clients in (1, 8, 64):
            point(f"row locks, {clients}", bench.row_locks(servers, clients, "transaction"))
        point("row locks in one statement, 64", bench.row_locks(servers, 64, "statement"))

    point("1x1", bench.reserves(connections=1))
    point("direct, 1", bench.direct(1))
    direct = point("direct, 64", bench.direct(64))
    crowd = point("64x1", bench.reserves(connections=64))
    point("64x1 beside the books", bench.beside_the_books(connections=64))
    point("2,000/s beside the books", bench.beside_the_books(connections=64, rate=2_000))
    eight = point("8x32", bench.reserves(connections=8, outstanding=32))
    point("ceiling of 8x32", bench.ceiling(eight["batch"]))
    point("ceiling, 128 a batch", bench.ceiling(128))
    batches = point("BatchReserve 4x1024", bench.reserves(connections=4, batch=1024))
    point("ceiling of BatchReserve", bench.ceiling(batches["batch"], WHOLE_BATCHES_OUT))
    point("8x32, file rewritten", bench.rewritten(connections=8, outstanding=32))
    point("sold out, 8x32", bench.reserves(units=1, connections=8, outstanding=32))
    # Half the peak of each, which this round has found.
    peak = max(eight["per_s"], crowd["per_s"])
    point("open loop, half the peak", bench.reserves(connections=64, rate=peak / 2))
    point("direct, half its peak", bench.direct(64, rate=direct["per_s"] / 2))


def growth_round(bench, point):
    """What growing costs, once; 128 SKUs in turn make batches of 128 different ones."""
    for skus in GROWTH_SKUS:
        point(f"{skus} SKUs", bench.reserves(
            skus=skus, units=1_000_000, connections=8, outstanding=32, in_turn=int(skus == 128)))
    for connections in GROWTH_CONNECTIONS:
        point(f"{connections} connections", bench.reserves(connections=connections, spread=256))


def once(bench, point, lives, life_seconds):
    """What takes long."""
    for holds in GROWTH_HOLDS:
        point(f"{holds} live holds", bench.reserves(
            holds=holds, redis=("--maxmemory", "8gb"), connections=8, outstanding=32))
    point("memory", bench.memory_per_hold())
    point("expiry", bench.expiry())
    point("life", bench.life(lives, life_seconds))


def main():
    parser = argparse.ArgumentParser()
    for name in ("programs", "built", "circumstances", "results"):
        parser.add_argument(name)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--life-seconds", type=int, default=60)
    parser.add_argument("--no-growth", action="store_true", help="the peers alone")
    options = parser.parse_args()
    bench = Bench(options.programs, options.built, options.seconds)

    found = {}

    def point(name, made):
        found.setdefault(name, []).append(made)
        figures = ", ".join(
            f"{key} {value:,.6g}" for key, value in made.items() if isinstance(value, (int, float)))
        print(f"  {name}: {figures}", file=sys.stderr, flush=True)
        return made

    bench.record()
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        one_round(bench, point)
        if not options.no_growth:
            growth_round(bench, point)
    if not options.no_growth:
        locks = statistics.median(run["per_s"] for run in found["row locks, 64"])
        once(bench, point, round(12 * locks), options.life_seconds)
    write(found, json.loads(options.circumstances), options.results)


main()
