"""The rounds as a table: table.py ROUNDS CIRCUMSTANCES RESULT

ROUNDS has a line of JSON for each run: fsync, way, name, p50_us, p99_us.
"""

import collections
import json
import statistics
import sys

TARGETS = {"always": 1.2, "off": 1.7}
NAMES = ("direct", "client", "busy")
SHOWN = {"direct": "hiredis, the script alone", "client": "libstockstream",
         "busy": "libstockstream, busy-poll"}

runs = collections.defaultdict(list)
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        run = json.loads(line)
        runs[run["fsync"], run["way"], run["name"]].append(run)

table = []
for fsync in ("always", "off"):
    for way in ("unix", "tcp"):
        if not runs[fsync, way, "direct"]:
            continue
        print(f"append-only file {'synced always' if fsync == 'always' else 'off'}, {way}")
        for name in NAMES:
            those = runs[fsync, way, name]
            p50, p99 = (statistics.median(run[key] for run in those) for key in ("p50_us", "p99_us"))
            # Of one round each, so that what else the machine does falls on both.
            ratios = [run["p50_us"] / beside["p50_us"]
                      for run, beside in zip(those, runs[fsync, way, "direct"])]
            ratio = statistics.median(ratios)
            verdict = ""
            if name == "client":
                verdict = f"  target ≤{TARGETS[fsync]}: " + ("met" if ratio <= TARGETS[fsync] else "NOT MET")
            print(f"  {SHOWN[name]:26} p50 {p50:8.1f} µs  p99 {p99:9.1f} µs  "
                  f"{ratio:5.2f}× ({min(ratios):.2f}–{max(ratios):.2f}){verdict}")
            table.append({"fsync": fsync, "way": way, "name": name, "p50_us": p50, "p99_us": p99,
                          "ratio": round(ratio, 3), "ratios": [round(one, 3) for one in ratios]})
with open(sys.argv[3], "w", encoding="utf-8") as result:
    json.dump({"circumstances": json.loads(sys.argv[2]), "table": table}, result, ensure_ascii=False,
              indent=1)
