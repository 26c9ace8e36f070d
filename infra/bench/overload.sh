#!/usr/bin/env bash
# What happens beyond the peak: offered load against goodput and time, and whether a flood starves others.
#
#   infra/bench.sh overload [--connections N] [--seconds S] [--timeout-ms T] [--seed N] [--factors "0.5 1 3"]
#
# Reserves of one hot SKU with enough stock, through a Redis that syncs always.  First the peak of
# goodput, in a closed loop; then open loops at multiples of it, whose times count from when a call was
# due; then a single caller, alone and beside a connection with 10,000 calls in flight.  Each point has
# a new Redis and a new stockd.  Generator, stockd and Redis share the cores, none is pinned: beside each
# multiple above 1 stands what is done of the peak when the surplus is made and sent, too, but to where
# nobody looks at it.  What is missing there is mostly the load's own share of the cores.
set -euo pipefail
cd "$(dirname "$0")/../.."

connections=256 seconds=4 timeout_ms=1000 seed=1 factors='0.5 0.8 1 1.5 2 3'
while [ $# -gt 0 ]; do
  case $1 in
    --connections) connections=$2 ;;
    --seconds) seconds=$2 ;;
    --timeout-ms) timeout_ms=$2 ;;
    --seed) seed=$2 ;;
    --factors) factors=$2 ;;
    *) sed -n '4,12s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
  shift 2
done

# shellcheck source=infra/bench/rpc/servers.sh
source infra/bench/rpc/servers.sh

# point KIND LABEL CONNECTIONS RATE OUTSTANDING FLOOD [ASIDE_PERCENT]: one measurement, as JSON in `line`.
point() {
  start_redis env
  start_stockd env
  "$programs/stockctl" stock set sku-0000000000000000 1000000000 \
    --address "127.0.0.1:$stock_port" > "$work/set" || fail "$(cat "$work/set")"
  line=$(timeout 90 "$built/load" port="$stock_port" connections="$3" seconds="$seconds" \
    timeout_ms="$timeout_ms" seed="$seed" rate="$4" outstanding="$5" flood="$6" \
    aside="$sink_port" aside_percent="${7:-0}") ||
    fail "$1 $2 could not be measured"
  end "$stockd_process" "$redis_process"
  line="{\"kind\": \"$1\", \"label\": \"$2\", ${line#\{}"
  echo "$line" >> "$work/points"
}

goodput() {
  /usr/bin/python3 -c 'import json, sys
print(json.loads(sys.argv[1])["calls"]["goodput_per_s"])' "$line"
}

build_programs
build_c load infra/bench/sale/load.c
build_c sink infra/bench/overload/sink.c
start sink "$built/sink"
sink_port=$(printed_port sink)
say_circumstances connections "$connections" seconds "$seconds" timeout_ms "$timeout_ms" seed "$seed"

peak=0
for outstanding in 1 4 16; do
  point peak "$connections×$outstanding" "$connections" 0 "$outstanding" 0
  found=$(goodput)
  [ "$found" -le "$peak" ] || peak=$found
done
for factor in $factors; do
  rate=$(awk "BEGIN { print int($peak * $factor) }")
  surplus=$(awk "BEGIN { print int(100 - 100 / $factor) }")
  point open "$factor" "$connections" "$rate" 0 0
  [ "$surplus" -le 0 ] || point aside "$factor" "$connections" "$rate" 0 0 "$surplus"
done
point fair alone 1 0 1 0
point fair 'beside a flood' 1 0 1 10000
/usr/bin/python3 infra/bench/overload/table.py "$work/points" "$circumstances" "$results/overload.json"
