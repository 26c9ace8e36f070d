"""Prints the points of infra/bench.sh overload, and writes them as JSON.

table.py POINTS CIRCUMSTANCES OUTPUT: one JSON object a line, an object, a file to write.
"""
import json
import sys

HEAD = (f"{'':18} {'offered/s':>10} {'goodput/s':>10} {'of peak':>8} {'refused':>9} {'deadline':>9}"
        f" {'other':>7} {'p50 ms':>8} {'p99 ms':>8} {'generator':>10} {'late ms':>8}")


def row(label, calls, point, peak):
    print(f"{label:18} {calls['offered_per_s']:10,} {calls['goodput_per_s']:10,}"
          f" {calls['goodput_per_s'] / peak:8.0%} {calls['refused']:9,} {calls['deadline_exceeded']:9,}"
          f" {calls['other'] + point['unanswered']:7,} {calls['p50_ms']:8.2f} {calls['p99_ms']:8.2f}"
          f" {point['generator_cpu']:9.0%} {point['late_ms']:9.1f}")


def main():
    points = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    peak = max(point["calls"]["goodput_per_s"] for point in points if point["kind"] == "peak")
    print("\nThe peak, in a closed loop (connections × outstanding):\n" + HEAD)
    for point in points:
        if point["kind"] == "peak":
            row(point["label"], point["calls"], point, peak)
    print("\nOpen loop, in multiples of the peak; times of held reserves, from when they were due:\n" + HEAD)
    met = True
    aside = {point["label"]: point for point in points if point["kind"] == "aside"}
    for point in points:
        if point["kind"] != "open":
            continue
        row("× " + point["label"], point["calls"], point, peak)
        met = met and (float(point["label"]) < 1 or point["calls"]["goodput_per_s"] >= 0.9 * peak)
        if point["label"] in aside:
            other = aside[point["label"]]
            row("  surplus aside", other["calls"], other, peak)
            share = point["calls"]["goodput_per_s"] / other["calls"]["goodput_per_s"]
            print(f"{'':18} to hear the surplus and refuse it leaves {share:.0%} of that")
    print(f"target: from × 1 on, goodput ≥90% of the peak: {'met' if met else 'NOT MET'}")
    print("\nA single caller:\n" + HEAD)
    for point in points:
        if point["kind"] == "fair":
            row(point["label"], point["calls"], point, peak)
            if "flood" in point:
                row("  the flood", point["flood"], point, peak)
    print("\n'generator': cores that the load took from the servers; 'late': its worst delay in sending.")
    with open(sys.argv[3], "w", encoding="utf-8") as output:
        json.dump({"circumstances": json.loads(sys.argv[2]), "peak_per_s": peak, "points": points}, output,
                  ensure_ascii=False, indent=1)


main()
