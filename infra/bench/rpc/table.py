"""Prints the medians of a run of infra/bench.sh rpc beside their targets, and writes them as JSON.

table.py RUNS CIRCUMSTANCES OUTPUT: one JSON object a line, an object, a file to write.
"""
import json
import statistics
import sys

NAMES = {"stockd": "stockd", "echo": "C echo", "grpc_cpp": "gRPC C++",
         "grpc_cpp_callback": "…, callbacks", "grpc_swift": "grpc-swift-2"}
MANY = ("8x32", "64x16")
FEWER = {
    "grpc_cpp": {"1x1": 1.5, "8x1": 2.5, "64x1": 2.5, "8x32": 15, "64x16": 15},
    "grpc_cpp_callback": {"1x1": 1.5, "8x1": 2.5, "64x1": 2.5, "8x32": 15, "64x16": 15},
    "grpc_swift": {"1x1": 5, "8x1": 15, "64x1": 15, "8x32": 100, "64x16": 100},
}


def spread(values):
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summary(runs):
    """point → system → figure → median, min, max."""
    cells = {}
    for run in runs:
        figures = cells.setdefault(run["point"], {}).setdefault(run["system"], {})
        for name in ("calls_per_s", "cpu_us", "p50_us", "p99_us", "failed"):
            figures.setdefault(name, []).append(run[name])
    return {
        point: {
            system: {name: spread(values) for name, values in figures.items()}
            for system, figures in systems.items()
        }
        for point, systems in cells.items()
    }


def comparisons(point, systems):
    """What is compared at a point: (against, figure, unit, target, met)."""
    ours = systems["stockd"]["cpu_us"]["median"]
    floor = systems["echo"]["cpu_us"]["median"]
    if point in MANY:
        yield "echo", ours - floor, "µs more", "≤1", ours - floor <= 1
    else:
        yield "echo", ours / floor, "× the CPU", "≤1.5", ours / floor <= 1.5
    for system, targets in FEWER.items():
        if system in systems:
            ratio = systems[system]["cpu_us"]["median"] / ours
            yield system, ratio, "× fewer", f"≥{targets[point]:g}", ratio >= targets[point]


def main():
    runs = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    points = summary(runs)
    print(f"\n{'':7} {'':13} {'CPU-µs a call':>22} {'calls/s':>10} {'p50 µs':>9} {'p99 µs':>9}")
    for point, systems in points.items():
        for system, figures in systems.items():
            cpu = figures["cpu_us"]
            print(
                f"{point.replace('x', '×'):7} {NAMES[system]:13}"
                f" {cpu['median']:8.2f} ({cpu['min']:.2f}–{cpu['max']:.2f})".ljust(44),
                f"{figures['calls_per_s']['median']:10,.0f} {figures['p50_us']['median']:9.1f}"
                f" {figures['p99_us']['median']:9.1f}",
                f" {figures['failed']['max']} FAILED" if figures["failed"]["max"] else "",
            )
    print("\nstockd against …, its CPU-µs a call:")
    compared = []
    for point, systems in points.items():
        for system, figure, unit, target, met in comparisons(point, systems):
            mark = "met" if met else "NOT MET"
            print(f"{point.replace('x', '×'):7} {NAMES[system]:13} {figure:8.2f} {unit:10}"
                  f" target {target:5} {mark}")
            compared.append(
                {"point": point, "against": system, "figure": round(figure, 4), "unit": unit,
                 "target": target, "met": met})
    with open(sys.argv[3], "w", encoding="utf-8") as output:
        json.dump(
            {"circumstances": json.loads(sys.argv[2]), "points": points, "compared": compared},
            output, ensure_ascii=False, indent=1)


main()
