#!/usr/bin/env bash
# How infra/run.sh behaves where it cannot simply start: each case must end as it should, with the
# one sentence that says why.  Takes built programs; works in a copy of infra/ in a scratch folder.
#
#   infra/run-check.sh [FOLDER]    FOLDER: where stockd, stockworker and stockctl are
set -euo pipefail
cd "$(dirname "$0")/.."
programs=$(realpath "${1:-$(swift build -c release --show-bin-path)}")
[ -x "$programs/stockd" ] || { echo "$programs holds no stockd: build first" >&2; exit 1; }

work=$(mktemp -d)
chmod 755 "$work"
place=$work/shop
run=$place/infra/run.sh
first=  # the run that is alive, if any
trap finish EXIT
passed=0 failed=0

finish() {
  [ -z "$first" ] || kill -TERM "$first" 2> /dev/null || true
  [ -z "$first" ] || wait "$first" || true
  ! mountpoint -q "$place/.data" || umount "$place/.data"
  rm -rf "$work"
}

unset REDIS_URL DATABASE_URL

# anew: a folder in which nothing has run.
anew() {
  rm -rf "$place"
  mkdir -p "$place/.data"
  cp -r infra "$place/infra"
}

# verdict NAME CODE EXPECTED-CODE FILE SENTENCE: the file has the sentence, on one line.
verdict() {
  if [ "$2" = "$3" ] && grep -qE -- "$5" "$4"; then
    passed=$((passed + 1))
    echo "ok      $1: $(grep -E -m 1 -- "$5" "$4" | cut -c 1-120)"
  else
    failed=$((failed + 1))
    echo "FAILED  $1: exit $2, wanted $3 and /$5/:"
    sed 's/^/        /' "$4"
  fi
}

# ends NAME EXPECTED-CODE SENTENCE COMMAND...: the command ends by itself.
ends() {
  local name=$1 expected=$2 sentence=$3 code=0
  shift 3
  timeout 100 "$@" > "$work/out" 2>&1 < /dev/null || code=$?
  verdict "$name" "$code" "$expected" "$work/out" "$sentence"
}

# sells FILE: starts a run and waits until it sells; what it says goes into the file.
sells() {
  "$run" _supervise "$programs" > "$1" 2>&1 < /dev/null &
  first=$!
  local deadline=$((SECONDS + 100))
  until [ -e "$place/.data/ready" ] && [ "$(cat "$place/.data/pid")" = "$first" ]; do
    kill -0 "$first" 2> /dev/null || { cat "$1"; return 1; }
    [ $SECONDS -lt $deadline ] || { cat "$1"; return 1; }
    sleep 0.1
  done
}

# ended: its exit code.
ended() {
  local code=0
  wait "$first" || code=$?
  first=
  echo $code > "$work/code"
}

taken_port() {
  anew
  python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); time.sleep(300)' \
    > "$work/port" &
  local holder=$!
  until [ -s "$work/port" ]; do sleep 0.05; done
  echo "stock_port=$(cat "$work/port")" > "$place/.data/settings"
  sells "$work/first" || true
  kill "$holder"
  verdict 'port taken' 0 0 "$work/first" "^Port $(cat "$work/port") is taken .* the server gets port"
}

second_run() {
  ends 'second run' 1 "already runs here \\(process $first\\)" "$run" _supervise "$programs"
}

# Killed, so that nothing could be put in order.
cut_off() {
  kill -KILL "$first"
  ended 2> /dev/null
  flock -w 60 "$place/.data/lock" true
  sells "$work/second" || true
  verdict 'half-started run' 0 0 "$work/second" '^The last run \(process [0-9]+\) was cut off'
  kill -TERM "$first"
  ended
  verdict 'stopped in order' "$(cat "$work/code")" 0 "$work/second" '^stopping'
  ends 'stop without a run' 0 'does not run here' "$run" stop
}

old_version() {
  anew
  mkdir "$place/.data/postgres"
  echo 9.6 > "$place/.data/postgres/PG_VERSION"
  ends 'data of another PostgreSQL' 1 'made by PostgreSQL 9\.6 and here is [0-9]+' \
    "$run" _supervise "$programs"
}

# A machine on which nothing is installed, as a user who may not install.
no_root() {
  anew
  mkdir "$work/bin"
  local name
  for name in bash dirname id apt-get; do ln -s "$(command -v $name)" "$work/bin/$name"; done
  for name in swift dpkg-query; do
    printf '#!/bin/sh\nexit 1\n' > "$work/bin/$name"
    chmod 755 "$work/bin/$name"
  done
  local drop=()
  [ "$(id -u)" != 0 ] || drop=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  ends 'no root and no sudo' 1 'without root or sudo .*: apt-get install redis-server' \
    "${drop[@]}" "$(command -v env)" PATH="$work/bin" bash "$place/infra/install.sh"
}

full_disk() {
  [ "$(id -u)" = 0 ] || { echo 'skipped full disk: a small file system needs root'; return 0; }
  anew
  mount -t tmpfs -o size=64m none "$place/.data"
  ends 'disk too small' 1 'has [0-9]+ MiB free, and StockStream starts with' \
    "$run" _supervise "$programs"
  mount -o remount,size=400m "$place/.data"
  sells "$work/filling" || true
  dd if=/dev/zero of="$place/.data/filler" bs=1M status=none 2> /dev/null || true
  "$programs/stockctl" stock set box-check 1 \
    --address "$(sed -n 's/^export STOCK_ADDRESS=//p' "$place/.data/env")" > /dev/null 2>&1 || true
  ended
  verdict 'disk full midway' "$(cat "$work/code")" 1 "$work/filling" \
    'is full \([0-9]+ MiB free\)'
  umount "$place/.data"
}

taken_port
second_run
cut_off
old_version
no_root
full_disk
echo "$passed passed, $failed failed"
[ $failed = 0 ]
