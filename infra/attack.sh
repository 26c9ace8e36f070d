#!/usr/bin/env bash
# Thousands of bad peers against a real stockd, while good callers go on calling.
#
#   infra/attack.sh [--peers N] [--seconds S] [--seed N] [--programs FOLDER]
#
# The peers say nothing, send a byte a second, half a frame, random bytes, a frame that promises 4 GiB;
# they hoard, never read, connect and leave.  5,000 of them for 45 seconds: longer than the server waits
# for any of them.  Fails when a call of a good caller failed, the stock does not add up, or the server
# died; never over a time.  Without --programs it builds a release.
set -euo pipefail
cd "$(dirname "$0")/.."

peers=5000 seconds=45 seed=1 given=
while [ $# -gt 0 ]; do
  case $1 in
    --peers) peers=$2 ;;
    --seconds) seconds=$2 ;;
    --seed) seed=$2 ;;
    --programs) given=$(realpath "$2") ;;
    *) sed -n '4,9s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
  shift 2
done

# shellcheck source=infra/bench/rpc/servers.sh
source infra/bench/rpc/servers.sh
ulimit -n $((peers + 200)) 2> /dev/null ||
  fail "the limit of open files, $(ulimit -Hn), does not allow $peers peers"
if [ -n "$given" ]; then programs=$given; else build_programs; fi
build_c crowd infra/attack/crowd.c
start_redis env
start_stockd env
"$programs/stockctl" stock set attack 1000000000 --address "127.0.0.1:$stock_port" > "$work/set" ||
  fail "$(cat "$work/set")"
say_circumstances peers "$peers" seconds "$seconds" seed "$seed"
code=0
timeout $((${seconds%.*} * 2 + 60)) "$built/crowd" "$stock_port" "$peers" "$seconds" "$stockd_process" \
  "$seed" > "$work/attack.json" || fail "the attack ended early: $(tail -n 5 "$work/stockd.err")"
"$programs/stockctl" stock get attack --json --address "127.0.0.1:$stock_port" > "$work/stock" || code=$?
[ $code = 0 ] || { tail -n 20 "$work/stockd.err" >&2; fail "the server does not answer any more"; }
end "$stockd_process" "$redis_process"
/usr/bin/python3 infra/attack/table.py "$work/attack.json" "$work/stock" "$work/stockd.err" \
  "$circumstances" "$results/attack.json"
