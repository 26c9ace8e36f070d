#!/usr/bin/env bash
# The way of an event into the books, against the same rows written by hand: infra/bench.sh ledger
#
# Redis and PostgreSQL of its own, both synced always; EVENTS, PAIRS, SINGLES, STEADY_SECONDS, LANES and
# SEED change what is measured.  It never fails because something is slow.
set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=(--scratch-path "${BENCH_SCRATCH:-.build}")
swift build -c release "${scratch[@]}" --product stockworker > /dev/null
worker=$(swift build -c release "${scratch[@]}" --show-bin-path)/stockworker

work=$(mktemp -d /tmp/stockstream-ledger-XXXXXX)
chmod 755 "$work"
redis='' postgres=''
finish() {
  [ -z "$redis" ] || kill "$redis" 2> /dev/null || true
  [ -z "$postgres" ] || kill -INT "$postgres" 2> /dev/null || true
  wait
  rm -rf "$work"
}
trap finish EXIT

redis-server --port 0 --unixsocket "$work/redis.sock" --dir "$work" --appendonly yes \
  --appendfsync always --save '' > "$work/redis.log" &
redis=$!

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
as_postgres=()
if [ "$(id -u)" = 0 ]; then
  as_postgres=(setpriv --reuid postgres --regid postgres --clear-groups)
  chown postgres: "$work"
fi
"${as_postgres[@]}" "$bin/initdb" -D "$work/data" -U postgres --auth trust --encoding UTF8 \
  --locale C --no-instructions > /dev/null
port=$((12000 + RANDOM % 20000))
"${as_postgres[@]}" "$bin/postgres" -D "$work/data" -p "$port" -k "$work" -h 127.0.0.1 \
  -c shared_buffers=512MB -c max_wal_size=8GB -c track_commit_timestamp=on -c autovacuum=off \
  > "$work/postgres.log" 2>&1 &
postgres=$!
until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do sleep 0.1; done

echo "commit $(git rev-parse --short HEAD), $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo |
  cut -d: -f2- | xargs), $(redis-server --version | grep -o 'v=[^ ]*'), $("$bin/postgres" --version)"
echo "Redis syncs always; PostgreSQL: fsync on, shared_buffers 512 MB, no autovacuum"
/usr/bin/python3 infra/bench/ledger.py "$worker" "$work/redis.sock" "$port" "$postgres"
