#!/usr/bin/env bash
# What the continuous audit costs at a size, and how soon it finds a difference: infra/bench.sh audit
#
# Redis and PostgreSQL of its own; HOLDS, SKUS, SECONDS and ROUNDS change what is measured.  It never
# fails because something is slow.
set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=(--scratch-path "${BENCH_SCRATCH:-.build}")
for product in stockd stockworker stockctl; do
  swift build -c release "${scratch[@]}" --product "$product" > /dev/null
done
bin=$(swift build -c release "${scratch[@]}" --show-bin-path)

work=$(mktemp -d /tmp/stockstream-audit-XXXXXX)
chmod 755 "$work"
pids=()
finish() {
  for pid in "${pids[@]}"; do kill -INT "$pid" 2> /dev/null || true; done
  wait
  rm -rf "$work"
}
trap finish EXIT

redis-server --port 0 --unixsocket "$work/redis.sock" --dir "$work" --appendonly yes \
  --appendfsync always --save '' > "$work/redis.log" &
redis=$!
pids+=("$redis")

postgres=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
as_postgres=()
if [ "$(id -u)" = 0 ]; then
  as_postgres=(setpriv --reuid postgres --regid postgres --clear-groups)
  chown postgres: "$work"
fi
"${as_postgres[@]}" "$postgres/initdb" -D "$work/data" -U postgres --auth trust --encoding UTF8 \
  --locale C --no-instructions > /dev/null
port=$((12000 + RANDOM % 20000))
"${as_postgres[@]}" "$postgres/postgres" -D "$work/data" -p "$port" -k "$work" -h 127.0.0.1 \
  -c shared_buffers=512MB > "$work/postgres.log" 2>&1 &
pids+=($!)
until "$postgres/pg_isready" -q -h 127.0.0.1 -p "$port"; do sleep 0.1; done
export DATABASE_URL="postgresql://postgres@127.0.0.1:$port/postgres" REDIS_URL="unix:$work/redis.sock"

"$bin/stockd" --listen "127.0.0.1:$((port + 1))" > "$work/stockd.log" 2>&1 &
pids=($! "${pids[@]}")
export STOCK_WORKER_ADDRESS="127.0.0.1:$((port + 2))"
"$bin/stockworker" --listen "$STOCK_WORKER_ADDRESS" > "$work/stockworker.log" 2>&1 &
worker=$!
pids=("$worker" "${pids[@]}")

echo "commit $(git rev-parse --short HEAD), $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo |
  cut -d: -f2- | xargs), $(redis-server --version | grep -o 'v=[^ ]*'), load $(cut -d' ' -f1 /proc/loadavg)"
PYTHONPATH=clients/python/src /usr/bin/python3 infra/bench/audit.py "127.0.0.1:$((port + 1))" \
  "$work/redis.sock" "$redis" "$worker" "$bin/stockctl"
