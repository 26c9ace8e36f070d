#!/usr/bin/env bash
# Sells stock on this machine: Redis, PostgreSQL, server and worker, all private to this folder.
#
#   infra/run.sh             install, build, start, and stay until Ctrl-C
#   infra/run.sh --detach    the same in the background
#   infra/run.sh status      is it running, and healthy?
#   infra/run.sh stop        end it; the data stays in .data/
#
# Where REDIS_URL or DATABASE_URL is set, and is not one that this script wrote, that server is
# used and no private one is started.  infra/README.md explains the files and the warnings.
#
# How it works: one supervising shell holds a lock on .data/lock and starts everything.  What it
# starts inherits the lock, so that a second run can never open the same data, and dies with it
# (pdeathsig), even if it is killed.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD data=$PWD/.data log=$PWD/.data/log

fail() { echo "$*" >&2; exit 1; }

# shellcheck source=infra/host.sh
source infra/host.sh

# --- Is another run alive?

# Descriptor 9 holds the lock until the last of this run's processes has ended.
lock() {
  mkdir -p "$log"
  exec 9>> "$data/lock"
  flock -n 9
}

is_running() { [ -e "$data/lock" ] && ! flock -n "$data/lock" true; }

refuse_second_run() {
  fail "StockStream already runs here (process $(cat "$data/pid" 2> /dev/null || echo unknown));" \
    "'infra/run.sh stop' ends it."
}

# --- Ports, passwords and URLs, chosen once and remembered in .data/settings

listening() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# remembered_port NAME PREFERRED WHO: sets NAME to the port of the last start, if it is still free.
remembered_port() {
  local name=$1 first=${!1:-$2} who=$3 port
  port=$first
  while listening "$port"; do port=$((12000 + RANDOM % 20000)); done
  [ "$port" = "$first" ] || echo "Port $first is taken by another program: $who gets port $port."
  printf -v "$name" '%s' "$port"
}

secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# A shell that has sourced .data/env may start the next run: its URLs are not a user's own server.
remember_url() { grep -qsxF "$1" "$data/own-urls" || echo "$1" >> "$data/own-urls"; }

load_settings() {
  # shellcheck source=/dev/null
  [ ! -e "$data/settings" ] || source "$data/settings"

  own_redis=yes own_postgres=yes
  [ -z "${REDIS_URL:-}" ] || grep -qsxF "$REDIS_URL" "$data/own-urls" || own_redis=no
  [ -z "${DATABASE_URL:-}" ] || grep -qsxF "$DATABASE_URL" "$data/own-urls" || own_postgres=no

  remembered_port stock_port 7420 "the server"
  remembered_port worker_port 7421 "the worker"
  [ $own_redis = no ] || remembered_port redis_port $((12000 + RANDOM % 20000)) Redis
  [ $own_postgres = no ] ||
    remembered_port postgres_port $((12000 + RANDOM % 20000)) PostgreSQL
  password=${password:-$(secret)}
  STOCK_ADDRESS=127.0.0.1:$stock_port
  STOCK_WORKER_ADDRESS=127.0.0.1:$worker_port
  [ $own_redis = no ] || REDIS_URL=$(redis_url operator)
  [ $own_postgres = no ] ||
    DATABASE_URL=postgresql://app:$password@127.0.0.1:$postgres_port/inventory
  export STOCK_ADDRESS STOCK_WORKER_ADDRESS REDIS_URL DATABASE_URL

  umask 077
  printf '%s\n' "redis_port=$redis_port" "postgres_port=$postgres_port" \
    "stock_port=$stock_port" "worker_port=$worker_port" "password=$password" > "$data/settings.new"
  mv "$data/settings.new" "$data/settings"  # never half: the password is nowhere else
  [ $own_redis = no ] || remember_url "$REDIS_URL"
  [ $own_postgres = no ] || remember_url "$DATABASE_URL"
  printf 'export %s=%q\n' STOCK_ADDRESS "$STOCK_ADDRESS" STOCK_WORKER_ADDRESS \
    "$STOCK_WORKER_ADDRESS" REDIS_URL "$REDIS_URL" DATABASE_URL "$DATABASE_URL" > "$data/env"
  umask 022
}

# Each user of the private Redis has a password in a file, made once: infra/redis/users.conf.
redis_passwords=$data/redis-passwords

# redis_url USER
redis_url() {
  local file=$redis_passwords/$1
  [ -s "$file" ] || (umask 077 && mkdir -p "$redis_passwords" && secret > "$file")
  echo "redis://$1:$(cat "$file")@127.0.0.1:$redis_port"
}

# --- Processes

declare -A running=() # name → process id

# start NAME SIGNAL COMMAND...: in a session of its own, so that a Ctrl-C reaches only this shell,
# which then stops things in order.  SIGNAL is sent should this shell be killed.
start() {
  local name=$1 signal=$2
  shift 2
  setsid setpriv --pdeathsig "$signal" "$@" >> "$log/$name.log" 2>&1 < /dev/null &
  running[$name]=$!
}

alive() { kill -0 "${running[$1]}" 2> /dev/null; }

# wait_until SECONDS WHAT COMMAND...
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2 name
  shift 2
  until "$@"; do
    for name in "${!running[@]}"; do alive "$name" || died "$name"; done
    [ $SECONDS -lt $deadline ] || fail "gave up waiting until $what; see $log/"
    sleep 0.05
  done
}

died() {
  echo "$1 has died; the end of $log/$1.log:" >&2
  tail -n 15 "$log/$1.log" | sed 's/^/  /' >&2
  blame_full_disk
  fail "Everything else is being stopped."
}

# end SIGNAL NAME...: all at once, then waits; what does not go in 30 s is killed.
end() {
  local signal=$1 name deadline=$((SECONDS + 30))
  shift
  for name in "$@"; do
    [ -z "${running[$name]:-}" ] || kill -s "$signal" "${running[$name]}" 2> /dev/null || true
  done
  for name in "$@"; do
    [ -n "${running[$name]:-}" ] || continue
    while alive "$name"; do
      if [ $SECONDS -ge $deadline ]; then
        echo "$name ignores SIG$signal and is killed" >&2
        kill -s KILL "${running[$name]}" 2> /dev/null || true
      fi
      sleep 0.05
    done
    unset "running[$name]"
  done
}

# Server and worker first: what they have accepted still needs the stores.
stop_everything() {
  local code=$?
  trap '' INT TERM HUP
  [ ${#running[@]} -eq 0 ] || echo "stopping ..."
  end TERM stockd stockworker
  end TERM redis
  end INT postgres
  end TERM logs
  rm -f "$data/pid" "$data/ready"
  exit $code
}

# --- The stores

start_redis() {
  local user
  for user in stockd stockworker operator replica; do redis_url "$user" > /dev/null; done
  mkdir -p "$data/redis"
  "$root/infra/redis/make-acl.sh" "$redis_passwords" "$data/redis/users.acl"
  say_overcommit
  start redis TERM redis-server "$root/infra/redis/redis.conf" --port "$redis_port" \
    --dir "$data/redis" --aclfile "$data/redis/users.acl"
  wait_until 60 "Redis answers" redis_answers
}

redis_answers() {
  [ "$(REDISCLI_AUTH=$(cat "$redis_passwords/operator") \
    redis-cli -p "$redis_port" --user operator PING 2> /dev/null)" = PONG ]
}

# PostgreSQL refuses to run as root.  The capability lets the user postgres pass through a folder
# that only root may enter, such as /root.
as_postgres=()
prepare_postgres_user() {
  [ "$(id -u)" = 0 ] || return 0
  as_postgres=(--reuid postgres --regid postgres --clear-groups)
  local pass=(--inh-caps +dac_read_search --ambient-caps +dac_read_search)
  if setpriv "${pass[@]}" true 2> /dev/null; then as_postgres+=("${pass[@]}"); fi
}

postgres_programs() { ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1; }

# A cluster is read by the major version alone that made it.
refuse_other_version() {
  local made newest
  made=$(cat "$1/PG_VERSION")
  [ ! -x "/usr/lib/postgresql/$made/bin/postgres" ] || return 0
  newest=$(basename "$(dirname "$(postgres_programs)")")
  fail ".data/postgres was made by PostgreSQL $made and here is $newest: install" \
    "postgresql-$made, or bring the data over with pg_upgrade, or move the folder away to begin anew."
}

start_postgres() {
  local bin folder=$data/postgres
  bin=$(postgres_programs)
  prepare_postgres_user
  if [ ! -e "$folder/PG_VERSION" ]; then create_cluster "$bin" "$folder"; fi
  refuse_other_version "$folder"
  bin=/usr/lib/postgresql/$(cat "$folder/PG_VERSION")/bin
  # The options are setpriv's: another user's process would lose the signal of pdeathsig.
  start postgres INT "${as_postgres[@]}" "$bin/postgres" -D "$folder" -p "$postgres_port" \
    -h 127.0.0.1 -k '' -c fsync=on
  wait_until 60 "PostgreSQL answers" "$bin/pg_isready" -q -h 127.0.0.1 -p "$postgres_port"
  create_database
}

# Made beside its place and then moved, so that an interrupted start leaves no half a cluster.
create_cluster() {
  local bin=$1 folder=$2 passwords
  rm -rf "$folder.new"
  mkdir -m 700 "$folder.new"
  passwords=$(mktemp)
  echo "$password" > "$passwords"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$folder.new" "$passwords"; fi
  if setpriv "${as_postgres[@]}" "$bin/initdb" -D "$folder.new" -U postgres \
    --pwfile "$passwords" --auth scram-sha-256 --encoding UTF8 --locale C \
    > "$log/initdb.log" 2>&1
  then mv "$folder.new" "$folder"; fi
  rm -f "$passwords"
  [ -e "$folder/PG_VERSION" ] || blame_full_disk
  [ -e "$folder/PG_VERSION" ] || fail "PostgreSQL's files could not be made; see $log/initdb.log"
}

# As the superuser; repeating it does nothing.
create_database() {
  local psql=(psql -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$postgres_port" -U postgres postgres)
  export PGPASSWORD=$password
  if [ -z "$("${psql[@]}" -c "SELECT 1 FROM pg_roles WHERE rolname = 'app'")" ]; then
    "${psql[@]}" -c "CREATE ROLE app LOGIN PASSWORD '$password'"
  fi
  if [ -z "$("${psql[@]}" -c "SELECT 1 FROM pg_database WHERE datname = 'inventory'")" ]; then
    "${psql[@]}" -c "CREATE DATABASE inventory OWNER app"
  fi
  unset PGPASSWORD
}

# --- Server and worker

# A store that the user brought may be weaker than promised: the server then sells nothing, unless
# STOCK_ACKNOWLEDGE tells it to promise less.
sells() {
  local health
  health=$("$programs/stockctl" health --json --address "$STOCK_ADDRESS" 2> /dev/null) ||
    [[ $health == *DEGRADED* ]] || { not_sold "$own_redis" "$health"; false; }
}

# not_sold OWN HEALTH: says once why a Redis that somebody brought is not sold from.
not_sold() {
  [ "$1" = no ] && [[ $2 == *NOT_SERVING* ]] && [ "${said:-}" != "$2" ] || return 0
  said=$2
  echo "not selling yet: $2"
}

# With dead letters from before, say, it is ready, though degraded.
keeps_books() {
  "$programs/stockctl" health --address "$STOCK_WORKER_ADDRESS" > /dev/null 2>&1
}

# In a Redis of our own, each daemon may do what it needs and no more.
url_for() { if [ "$own_redis" = yes ]; then redis_url "$1"; else echo "$REDIS_URL"; fi; }

supervise() {
  lock || refuse_second_run
  refuse_full_disk
  # A run that ends takes this file away, and the lock says that nobody is left.
  [ ! -e "$data/pid" ] ||
    echo "The last run (process $(cat "$data/pid")) was cut off: starting again with its data."
  trap stop_everything EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  rm -f "$data/ready"
  echo $$ > "$data/pid"
  turn_logs
  start logs TERM "$root/infra/run.sh" _turn_logs
  local redis_port= postgres_port= stock_port= worker_port= password= own_redis own_postgres
  load_settings

  if [ $own_redis = yes ]; then start_redis; else echo "using the Redis of REDIS_URL"; fi
  if [ $own_postgres = yes ]; then start_postgres; else echo "using DATABASE_URL"; fi
  # The URLs go by the environment: anyone may read a command line, and one holds a password.
  REDIS_URL=$(url_for stockd) start stockd TERM "$programs/stockd" --listen "$STOCK_ADDRESS"
  REDIS_URL=$(url_for stockworker) start stockworker TERM "$programs/stockworker" \
    --name "$HOSTNAME" --listen "$STOCK_WORKER_ADDRESS"
  wait_until 60 "the server sells" sells
  wait_until 60 "the worker keeps the books" keeps_books
  touch "$data/ready"
  trap 'exit 0' INT TERM HUP
  "$programs/stockctl" health --address "$STOCK_ADDRESS" || true
  tour

  local pid name
  wait -n -p pid "${running[@]}" || true
  for name in "${!running[@]}"; do [ "${running[$name]}" != "$pid" ] || died "$name"; done
}

tour() {
  cat << TOUR

StockStream sells on $STOCK_ADDRESS.  In another terminal:

  cd $root && source .data/env && PATH="$programs:\$PATH"
  stockctl stock set espresso_machine 3
  stockctl reserve espresso_machine --qty 1 --user eve --key coffee-1
  stockctl hold get --user eve --key coffee-1
  redis-cli -u "\$REDIS_URL" XRANGE inventory.events - +
  psql "\$DATABASE_URL" -c "SELECT hold_id, sku, qty, status FROM holds"
  stockctl health

Data: .data/   Logs: .data/log/   Stop: Ctrl-C, or infra/run.sh stop
TOUR
}

# --- The commands

build() {
  infra/install.sh; infra/moved.sh .build
  echo "building (the first time takes some minutes) ..."
  swift build -c release || fail "The build has failed, as said above: nothing was started." \
    "After an update of the clone: rm -rf .build, and again."
  programs=$(swift build -c release --show-bin-path)
}

detach() {
  : >> "$log/run.log"
  local seen
  turn_logs
  seen=$(wc -l < "$log/run.log")
  setsid "$root/infra/run.sh" _supervise "$programs" >> "$log/run.log" 2>&1 < /dev/null &
  until [ -e "$data/ready" ] && [ "$(cat "$data/pid" 2> /dev/null)" = $! ]; do
    kill -0 $! 2> /dev/null || {
      tail -n +$((seen + 1)) "$log/run.log" >&2
      fail "StockStream did not start."
    }
    sleep 0.1
  done
  tail -n +$((seen + 1)) "$log/run.log"
}

stop() {
  is_running || { echo "StockStream does not run here."; exit 0; }
  local pid
  pid=$(cat "$data/pid" 2> /dev/null) || fail "a run is just starting or ending; try again."
  kill -s TERM "$pid" 2> /dev/null || true
  flock -w 90 "$data/lock" true || fail "process $pid does not stop; see $log/"
  echo "stopped."
}

status() {
  is_running || { echo "StockStream does not run here."; exit 3; }
  [ -e "$data/ready" ] || { echo "StockStream is starting or stopping."; exit 3; }
  # shellcheck source=/dev/null
  source "$data/env"
  echo "StockStream runs (process $(cat "$data/pid")) on $STOCK_ADDRESS"
  local ctl
  ctl=$(swift build -c release --show-bin-path)/stockctl
  "$ctl" health --address "$STOCK_ADDRESS" && "$ctl" health --address "$STOCK_WORKER_ADDRESS"
}

case ${1:-} in
  '' | --detach)
    ! is_running || refuse_second_run
    mkdir -p "$log"
    build
    if [ "${1:-}" = --detach ]; then detach; else supervise; fi
    ;;
  stop) stop ;;
  status) status ;;
  _supervise) programs=$2 && supervise ;;
  _turn_logs) keep_turning_logs ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
