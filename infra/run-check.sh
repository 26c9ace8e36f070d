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
first=''  # the run that is alive, if any
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
  first=''
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

# A log that has grown is begun anew at the start and beside the sale, and its program goes on in it.
logs_turn() {
  anew
  mkdir "$place/.data/log"
  local folder=$place/.data/log deadline
  truncate -s 17M "$folder/redis.log"
  sells "$work/first" || true
  truncate -s +17M "$folder/stockd.log"
  deadline=$((SECONDS + 60))
  until [ -e "$folder/stockd.log.1" ] || [ $SECONDS -ge $deadline ]; do sleep 0.1; done
  kill -TERM "$first"
  ended
  find "$folder" -type f -printf '%f %s\n' | sort > "$work/logs"
  verdict 'log turned at the start' "$(cat "$work/code")" 0 "$work/logs" '^redis\.log\.1 17825792$'
  verdict 'log turned beside the sale' 0 0 "$work/logs" '^stockd\.log\.1 178[0-9]{5}$'
  verdict 'and begun anew' 0 0 "$work/logs" '^stockd\.log [0-9]{2,4}$'
  verdict 'its program goes on in it' 0 0 "$folder/stockd.log" 'stopped$'
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

# The compiler says what is wrong, and the script that nothing runs.
# What was built in another folder is forgotten, what was fetched is kept, and the rest as it is.
clone_was_moved() {
  anew
  mkdir -p "$place/.build/checkouts" "$place/.build/x86_64/release" "$work/mover"
  echo 'inputs: ["/elsewhere/.build/x86_64/release/a.o"]' > "$place/.build/release.yaml"
  printf '#!/bin/sh\nls .build\nexit 1\n' > "$work/mover/swift"
  chmod 755 "$work/mover/swift"
  ends 'moved' 1 '^\.build was built in another folder: building anew' \
    env PATH="$work/mover:$PATH" "$run" --detach
  verdict 'moved: what is left' 0 0 "$work/out" '^checkouts$'
  [ ! -e "$place/.build/x86_64" ] || verdict 'moved: what is gone' 1 0 "$work/out" 'x86_64'
  mkdir -p "$place/.build/x86_64"
  echo "inputs: [\"$place/.build/x86_64/release/a.o\"]" > "$place/.build/release.yaml"
  ends 'not moved' 1 '^x86_64$' env PATH="$work/mover:$PATH" "$run" --detach
}

build_fails() {
  anew
  mkdir "$work/compiler"
  printf '#!/bin/sh\necho "error: no such module"\nexit 1\n' > "$work/compiler/swift"
  chmod 755 "$work/compiler/swift"
  ends 'build fails' 1 '^The build has failed, .*: nothing was started' \
    env PATH="$work/compiler:$PATH" "$run" --detach
}

# A mirror that does not answer, on a machine that misses a package.
packages_fail() {
  anew
  mkdir "$work/mirror"
  printf '#!/bin/sh\necho "E: Unable to fetch some archives" >&2\nexit 100\n' > "$work/mirror/apt-get"
  for name in swift dpkg-query; do printf '#!/bin/sh\nexit 1\n' > "$work/mirror/$name"; done
  # In the place of sudo and of the files that an installation writes.
  # shellcheck disable=SC2016 # the inner shell's variables
  printf '#!/bin/sh\n[ "$1" = env ] || exit 0\nexec "$@"\n' > "$work/mirror/sudo"
  printf '#!/bin/sh\necho 1000\n' > "$work/mirror/id"
  chmod 755 "$work/mirror"/*
  ends 'packages cannot be fetched' 1 '^apt-get could not install, .* redis-server' \
    env PATH="$work/mirror:$PATH" "$run"
}

# What was acknowledged before the disk was full is there after room was made.
full_disk() {
  [ "$(id -u)" = 0 ] || { echo 'skipped full disk: a small file system needs root'; return 0; }
  anew
  mount -t tmpfs -o size=64m none "$place/.data"
  ends 'disk too small' 1 'has [0-9]+ MiB free, and StockStream starts with' \
    "$run" _supervise "$programs"
  mount -o remount,size=400m "$place/.data"
  sells "$work/filling" || true
  shop stock set box-check 100000 > /dev/null
  sold=0
  while [ $sold -lt 20 ]; do hold_one; done
  dd if=/dev/zero of="$place/.data/filler" bs=1M status=none 2> /dev/null || true
  truncate -s -256K "$place/.data/filler"
  until ! hold_one; do [ $sold -lt 5000 ] || break; done
  ended
  verdict 'disk full midway' "$(cat "$work/code")" 1 "$work/filling" \
    'is full \([0-9]+ MiB free\)'
  rm "$place/.data/filler"
  sells "$work/again" || true
  local order
  for order in $(seq $sold); do
    shop hold get --user ada --key "order-$order" > /dev/null || echo "order-$order is lost"
  done > "$work/kept"
  [ -s "$work/kept" ] || echo "all $sold holds are there" > "$work/kept"
  verdict 'room was made' 0 0 "$work/kept" '^all [0-9]+ holds are there'
  kill -TERM "$first"
  ended
  umount "$place/.data"
}

shop() {
  timeout 20 "$programs/stockctl" "$@" \
    --address "$(sed -n 's/^export STOCK_ADDRESS=//p' "$place/.data/env")" 2> /dev/null
}

# One more hold, counted when it is acknowledged.
hold_one() {
  shop reserve box-check --user ada --key "order-$((sold + 1))" > /dev/null && sold=$((sold + 1))
}

taken_port
second_run
cut_off
logs_turn
old_version
no_root
clone_was_moved
build_fails
packages_fail
full_disk
echo "$passed passed, $failed failed"
[ $failed = 0 ]
