"""Prints what an attack did, writes it as JSON, and fails when a good caller suffered.

table.py ATTACK STOCK LOG CIRCUMSTANCES OUTPUT: what crowd.c printed, the figures of the stock, the log of
the server, an object, a file to write.
"""
import collections
import json
import re
import sys


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def reasons(path):
    """Why the server closed connections, by its own log; numbers stand for any."""
    found = collections.Counter()
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            if said := re.search(r"reason=(.*?)(?: \w+=|$)", line):
                found[re.sub(r"\d{3,}", "N", said[1].strip())] += 1
    return found


def main():
    attack, stock = load(sys.argv[1]), load(sys.argv[2])
    print(f"\n{'good callers':14} {'calls':>8} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}"
          f"   {'server memory':>14} {'its CPU':>9}")
    for phase in ("before", "during", "after"):
        for name in ("health", "reserve"):
            calls = attack[phase][name]
            times = " ".join(f"{calls[key] / 1000:8.2f}" for key in ("p50_us", "p99_us", "max_us"))
            memory = (f"{attack[phase]['rss_kib'] / 1024:10.1f} MiB {attack[phase]['cpu']:9.0%}"
                      if name == "health" else "")
            print(f"{phase:6} {name:7} {calls['calls']:8,} {times}   {memory:>14}")
    print(f"\n{'bad peers':40} {'opened':>8} {'closed by it':>13} {'median life':>12} {'answers':>8}")
    for kind in attack["crowd"]:
        print(f"{kind['kind']:40} {kind['opened']:8,} {kind['closed_by_server']:13,}"
              f" {kind['life_ms']:9.1f} ms {kind['answered']:8,}"
              + (f"  {kind['refused']:,} not connected" if kind["refused"] else ""))
    print(f"{attack['open_at_the_end']:,} were connected at the end\n\nThe server's log:")
    closed = reasons(sys.argv[3])
    for reason, count in closed.most_common(12):
        print(f"{count:8,}  {reason}")

    faults = []
    if attack["failed"]:
        faults.append(f"{attack['failed']:,} calls of good callers failed: {attack['first_failure']}")
    if stock["held"] != attack["held"]:
        faults.append(f"{attack['held']:,} reserves were acknowledged, {stock['held']:,} are held")
    print("\n" + ("\n".join(faults) if faults else
                  f"no call of a good caller failed; {attack['held']:,} reserves, all held"))
    with open(sys.argv[5], "w", encoding="utf-8") as output:
        json.dump({"circumstances": json.loads(sys.argv[4]), **attack, "closed_because": closed,
                   "faults": faults}, output, ensure_ascii=False, indent=1)
    sys.exit(bool(faults))


main()
