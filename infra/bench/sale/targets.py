"""What the sale is to reach: text, comparison, target, unit, and how it is computed, one value a round."""


def ratios(name, other, figure="per_s"):
    return lambda found: [mine[figure] / theirs[figure] for mine, theirs in zip(found[name], found[other])]


def values(name, figure):
    return lambda found: [run[figure] for run in found[name]]


def growth(name, other):
    """Of the CPU that stockd and Redis take for a reserve."""
    return lambda found: [
        (mine["stockd_us"] + mine["redis_us"]) / (theirs["stockd_us"] + theirs["redis_us"])
        for mine, theirs in zip(found[name], found[other])]


TARGETS = [
    ("64×1, to the same 64 connections calling Redis directly", ">=", 2, "×", ratios("64x1", "direct, 64")),
    ("64×1, to row locks with 64 clients", ">=", 40, "×", ratios("64x1", "row locks, 64")),
    ("8×32, to its ceiling", ">=", 0.8, "×", ratios("8x32", "ceiling of 8x32")),
    ("BatchReserve 4×1,024, to its ceiling", ">=", 0.9, "×",
     ratios("BatchReserve 4x1024", "ceiling of BatchReserve")),
    ("Redis CPU per reserve, 128 a batch, file included", "<=", 7, " µs",
     values("ceiling, 128 a batch", "redis_us")),
    ("stockd CPU per reserve at 8×32", "<=", 3, " µs", values("8x32", "stockd_us")),
    ("stockd CPU per reserve at 64×1", "<=", 13, " µs", values("64x1", "stockd_us")),
    ("open loop at half the peak, p99 beyond the direct script's", "<=", 3, " ms",
     lambda found: [mine["p99_ms"] - theirs["p99_ms"] for mine, theirs in
                    zip(found["open loop, half the peak"], found["direct, half its peak"])]),
    ("sold-out answers, to successful reserves", ">=", 3, "×",
     lambda found: [out["sold_out_per_s"] / held["per_s"] for out, held in
                    zip(found["sold out, 8x32"], found["8x32"])]),
    ("the full life: the books behind, at most", "<=", 5, " s", lambda found: found["life"][0]["behind_s"]),
    ("the full life: p99 of a reserve", "<=", 20, " ms", lambda found: found["life"][0]["calls"]["p99_ms"]),
    ("the full life: p99 of a confirm", "<=", 20, " ms",
     lambda found: found["life"][0]["confirms"]["p99_ms"]),
    ("memory per live hold in Redis", "<=", 450, " B", lambda found: found["memory"][0]["bytes"]),
    ("CPU per reserve, 128 different SKUs in a batch to one", "<=", 2.2, "×", growth("128 SKUs", "1 SKUs")),
    ("CPU per reserve, 100,000 SKUs to 1,000", "<=", 1.2, "×", growth("100000 SKUs", "1000 SKUs")),
    ("CPU per reserve, 3,000,000 live holds to 10,000", "<=", 1.2, "×",
     growth("3000000 live holds", "10000 live holds")),
    ("CPU per reserve, 5,000 connections to 8", "<=", 1.2, "×", growth("5000 connections", "8 connections")),
    ("20,000 holds due in a second: p99 lateness", "<=", 1000, " ms",
     lambda found: found["expiry"][0]["p99_ms"]),
    ("20,000 holds due in a second: longest script", "<=", 2, " ms",
     lambda found: found["expiry"][0]["longest_script_ms"]),
]
