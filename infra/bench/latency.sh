#!/usr/bin/env bash
# One blocking reserve through the C client, against hiredis calling the same script itself.
#
#   infra/bench.sh latency [--calls N] [--rounds N] [--only always|off] [--busy-us N] [--realtime]
#
# Over a Unix socket and over TCP, with the append-only file synced always and without one; then the
# same with the client's busy-poll.  What hiredis sends are the very commands that stockd has sent, recorded
# beforehand.  The ways take turns; the ratio is that of the medians of one round.  --realtime lets servers
# and clients go before all else on the machine (root), for a machine that does other things too.
set -euo pipefail
cd "$(dirname "$0")/../.."

calls=1000 rounds=11 modes=(always off) busy_us=2000 first=()
while [ $# -gt 0 ]; do
  case $1 in
    --calls) calls=$2 && shift ;;
    --rounds) rounds=$2 && shift ;;
    --only) modes=("$2") && shift ;;
    --busy-us) busy_us=$2 && shift ;;
    --realtime) first=(chrt --fifo 10) ;;
    *) sed -n '4,9s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
  shift
done

# shellcheck source=infra/bench/rpc/servers.sh
source infra/bench/rpc/servers.sh
here=infra/bench/latency
declare -A redis_port_of=()

# redis NAME always|off: a Redis on a port and on $work/NAME.sock.
redis() {
  local port appendonly=yes
  [ "$2" = always ] || appendonly=no
  port=$(free_port)
  mkdir "$work/$1"
  start "$1" "${first[@]}" redis-server infra/redis/redis.conf --port "$port" --unixsocket "$work/$1.sock" \
    --dir "$work/$1" --auto-aof-rewrite-percentage 0 --appendonly $appendonly
  redis_port_of[$1]=$port
  for _ in {1..200}; do
    [ "$(redis-cli -p "$port" PING 2> /dev/null)" != PONG ] || return 0
    sleep 0.05
  done
  fail "Redis did not start"
}

# serve NAME REDIS_SOCKET always|off: a stockd on $work/NAME.sock and on a port; sets stock_port.
serve() {
  local acknowledge=fsync
  [ "$3" = always ] || acknowledge=memory
  stock_port=$(free_port)
  start "$1" "${first[@]}" "$programs/stockd" --listen "127.0.0.1:$stock_port,unix:$work/$1.sock" \
    --shards 1 --fence off --redis "unix:$2" --acknowledge $acknowledge
  for _ in {1..200}; do
    "$programs/stockctl" health --address "127.0.0.1:$stock_port" > "$work/health" 2>&1 && return
    sleep 0.05
  done
  cat "$work/$1.err" >&2
  fail "stockd does not sell"
}

# What stockd says to an empty Redis while calls + a tenth come one after another: $work/recording.
record() {
  local recorder server
  mkdir "$work/said"
  redis empty off
  start record /usr/bin/python3 $here/record.py "$work/between.sock" "$work/empty.sock" "$work/said"
  recorder=$process
  for _ in {1..200}; do [ ! -S "$work/between.sock" ] || break; sleep 0.05; done
  serve recorded "$work/between.sock" off
  server=$process
  redis-cli -p "${redis_port_of[empty]}" SET stock:box 1000000 > /dev/null
  "$built/client" "unix:$work/recorded.sock" box recorded "$calls" 0 > /dev/null ||
    fail "nothing could be recorded"
  end "$server" "$recorder"
  mv "$(grep -Hac EVALSHA "$work"/said/* | sort -t: -k2 -n | tail -n 1 | cut -d: -f1)" "$work/recording"
}

# measured FSYNC WAY NAME COMMAND...: one run, a line of $work/rounds.
measured() {
  local fsync=$1 way=$2 name=$3 figures
  shift 3
  figures=$("${first[@]}" timeout 120 "$@") || fail "$name over $way could not be measured"
  printf '{"fsync": "%s", "way": "%s", "name": "%s", %s\n' "$fsync" "$way" "$name" "${figures#\{}" \
    >> "$work/rounds"
}

direct() { # FSYNC WAY ADDRESS
  redis-cli -p "${redis_port_of[direct-$1]}" FLUSHALL > /dev/null
  redis-cli -p "${redis_port_of[direct-$1]}" SET stock:box 1000000 > /dev/null
  measured "$1" "$2" direct "$built/direct" "$3" "$work/recording"
}

one_round() { # FSYNC NUMBER
  local fsync=$1 way
  local -A at=([unix]="unix:$work/stockd-$fsync.sock" [tcp]="127.0.0.1:$stock_port")
  local -A redis_at=([unix]="$work/direct-$fsync.sock" [tcp]="${redis_port_of[direct-$fsync]}")
  for way in unix tcp; do
    direct "$fsync" $way "${redis_at[$way]}"
    measured "$fsync" $way client "$built/client" "${at[$way]}" box "client-$way-$2" "$calls" 0
    measured "$fsync" $way busy "$built/client" "${at[$way]}" box "busy-$way-$2" "$calls" "$busy_us"
  done
}

build_programs
make --silent -C clients/c BUILD="$built/clients-c" "$built/clients-c/libstockstream.a" \
  "$built/clients-c/libstockstream-contracts.a"
gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Iclients/c/include -o "$built/client" $here/client.c \
  "$built"/clients-c/libstockstream{,-contracts}.a -lprotobuf-c -lm
gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -o "$built/direct" $here/direct.c -lhiredis -lm
record

# What it says of the append-only file holds for half of the table, which says so itself.
say_circumstances scheduling "${first[*]:-as everything else}" calls "$calls" rounds "$rounds" \
  busy_poll_us "$busy_us" > "$work/circumstances"
sed 's/, append-only file synced always//' "$work/circumstances"
echo "stockd reaches Redis over a Unix socket; $calls calls a run, $rounds rounds; ${first[*]:-no priority}"
for mode in "${modes[@]}"; do
  redis "direct-$mode" "$mode"
  redis "store-$mode" "$mode"
  serve "stockd-$mode" "$work/store-$mode.sock" "$mode"
  server=$process
  redis-cli -p "${redis_port_of[store-$mode]}" SET stock:box 100000000 > /dev/null
  for ((round = 1; round <= rounds; round++)); do one_round "$mode" $round; done
  end "$server"
done
/usr/bin/python3 $here/table.py "$work/rounds" "$circumstances" "$results/latency.json"
