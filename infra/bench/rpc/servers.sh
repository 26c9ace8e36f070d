# shellcheck shell=bash disable=SC2034
# Servers of a benchmark's own: ports and folders of their own, ended when the script ends.  Sourced
# from the root of the project; sets `work`, `results`, `built` and `programs`.
#
# How it works: everything that is started stands in `started` by process id, and is ended by that id.

work=$(mktemp -d /tmp/stockstream-bench.XXXXXX)
results=$PWD/.data/bench
built=$results/build
declare -A started=()
mkdir -p "$built"

fail() { echo "$*" >&2; exit 1; }

# end PROCESS...: waits five seconds, then kills.
end() {
  local process
  for process; do kill -s TERM "$process" 2> /dev/null || true; done
  for process; do
    for _ in {1..100}; do kill -0 "$process" 2> /dev/null || break; sleep 0.05; done
    kill -s KILL "$process" 2> /dev/null || true
    unset "started[$process]"
  done
}

end_started() {
  local code=$?
  end "${!started[@]}"
  rm -rf "$work"
  exit "$code"
}
trap end_started EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Two cores that this process may use: one for the server, one for the client.
two_cores() {
  read -r server_core client_core _ < <(/usr/bin/python3 -c \
    'import os; print(*sorted(os.sched_getaffinity(0)))')
  [ -n "$client_core" ] || fail "two cores are needed"
}

# build_programs [MORE...]: a release of stockd and stockctl as they are shipped, in the folder of
# infra/run.sh unless BENCH_SCRATCH names another.
build_programs() {
  local product build=(swift build -c release --static-swift-stdlib)
  build+=(--scratch-path "${BENCH_SCRATCH:-.build}")
  for product in stockd stockctl "$@"; do
    "${build[@]}" --product $product > "$work/build.log" 2>&1 ||
      { cat "$work/build.log" >&2; fail "$product does not build"; }
  done
  programs=$("${build[@]}" --show-bin-path)
}

# build_c NAME SOURCE [LIBRARY...]
build_c() {
  gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -o "$built/$1" "$2" "${@:3}" -lm
}

# start NAME COMMAND...: sets `process`.
start() {
  local name=$1
  shift
  setpriv --pdeathsig TERM "$@" > "$work/$name.out" 2> "$work/$name.err" < /dev/null &
  process=$!
  started[$process]=$name
}

# printed_port NAME: waits for the number that a server prints.
printed_port() {
  for _ in {1..200}; do
    if [ -s "$work/$1.out" ]; then head -n 1 "$work/$1.out"; return; fi
    sleep 0.05
  done
  cat "$work/$1.err" >&2
  fail "$1 did not start"
}

free_port() {
  /usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# start_redis [COMMAND PREFIX...]: sets `redis_port` and `redis_process`.
start_redis() {
  redis_port=$(free_port)
  rm -rf "$work/redis"
  mkdir -p "$work/redis"
  start redis "$@" redis-server infra/redis/redis.conf --port "$redis_port" --dir "$work/redis" \
    --auto-aof-rewrite-percentage 0
  redis_process=$process
  for _ in {1..200}; do
    [ "$(redis-cli -p "$redis_port" PING 2> /dev/null)" != PONG ] || { open_redis; return; }
    sleep 0.05
  done
  fail "Redis did not start"
}

# Opens Redis to the sale, as a worker does: without the fence every health check would carry a warning.
open_redis() {
  local run epoch=0123456789abcdef.1
  run=$(redis-cli -p "$redis_port" INFO server | sed -n 's/^run_id:\([0-9a-f]*\).*/\1/p')
  redis-cli -p "$redis_port" HSET fence epoch "$epoch" open "$epoch $run" > "$work/opened"
}

# start_stockd [COMMAND PREFIX...]: one shard; sets `stock_port` and `stockd_process`.
start_stockd() {
  stock_port=$(free_port)
  start stockd "$@" "$programs/stockd" --listen "127.0.0.1:$stock_port" --shards 1 \
    --redis "redis://127.0.0.1:$redis_port" --connections-per-peer-max 10000
  stockd_process=$process
  for _ in {1..200}; do
    if "$programs/stockctl" health --address "127.0.0.1:$stock_port" > "$work/health" 2>&1; then return; fi
    sleep 0.05
  done
  cat "$work/stockd.err" "$work/health" >&2
  fail "stockd does not sell"
}

# The circumstances, a line each, and as JSON in `circumstances`.
say_circumstances() {
  local commit model disk cores=unpinned
  commit=$(git describe --always --dirty 2> /dev/null || echo unknown)
  model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
  [ -z "${server_core:-}" ] || cores="server on core $server_core, client on core $client_core"
  echo "commit $commit; $(nproc) cores of $model; Linux $(uname -r); load $(cut -d' ' -f1-3 /proc/loadavg)"
  echo "Redis $(redis-server --version | cut -d' ' -f3), append-only file synced always; stockd: one shard"
  echo "$cores"
  build_c disk infra/bench/rpc/disk.c
  read -r -a disk < <("$built/disk" "$work")
  echo "disk: ${disk[0]} ms a sync after another, ${disk[1]} ms after a rest of 1 ms"
  circumstances=$(/usr/bin/python3 -c 'import json, sys
print(json.dumps(dict(zip(sys.argv[1::2], sys.argv[2::2]))))' commit "$commit" machine "$model" \
    cores "$cores" kernel "$(uname -r)" load "$(cut -d' ' -f1-3 /proc/loadavg)" \
    disk_ms "${disk[0]}" disk_rested_ms "${disk[1]}" "$@")
}
