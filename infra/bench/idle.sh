#!/usr/bin/env bash
# What an idle connection costs the server: memory, and the time of the calls of others.
#
#   infra/bench.sh idle [--connections N] [--seconds S]
#
# N connections (10,000 in all, with the busy ones) each make one call and then keep silent, while
# calls flow on 8 others.  A shard takes 10,000, so that more would be closed.
set -euo pipefail
cd "$(dirname "$0")/../.."

busy=8 connections=9992 seconds=3
while [ $# -gt 0 ]; do
  case $1 in
    --connections) connections=$2 && shift ;;
    --seconds) seconds=$2 && shift ;;
    *) sed -n '4,7s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
  shift
done

# shellcheck source=infra/bench/rpc/servers.sh
source infra/bench/rpc/servers.sh
ulimit -n $((connections + busy + 100)) 2> /dev/null ||
  fail "the limit of open files, $(ulimit -Hn), does not allow $connections connections"
two_cores
build_programs
build_c idle infra/bench/rpc/idle.c
start_redis taskset -c "$client_core"
start_stockd taskset -c "$server_core"
say_circumstances connections "$connections" busy "$busy" seconds "$seconds"
timeout 120 taskset -c "$client_core" "$built/idle" "$stock_port" "$connections" $busy "$seconds" \
  "$stockd_process" > "$work/idle.json" || fail "it could not be measured"
/usr/bin/python3 - "$work/idle.json" "$circumstances" "$results/idle.json" << 'PYTHON'
import json
import sys

found = json.load(open(sys.argv[1], encoding="utf-8"))
print(f"{found['answered']} of {found['idle']} connections answered, {found['closed']} closed by the server; "
      f"opened in {found['opening_s']} s")
print(f"memory: {found['rss_before_kib']:,} KiB before, {found['rss_with_kib']:,} KiB with them: "
      f"{found['bytes_each']:,.0f} bytes a connection; target ≤8,192: "
      + ("met" if found["bytes_each"] <= 8192 else "NOT MET"))
for when, name in (("before", "before them"), ("with", "with them")):
    each = found[when]
    print(f"calls on 8 others, {name:12} {each['calls_per_s']:9,.0f} a second, p50 {each['p50_us']:.0f} µs, "
          f"p99 {each['p99_us']:.0f} µs")
json.dump({"circumstances": json.loads(sys.argv[2]), **found}, open(sys.argv[3], "w", encoding="utf-8"),
          ensure_ascii=False, indent=1)
PYTHON
