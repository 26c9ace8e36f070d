#!/usr/bin/env bash
# Builds the image of infra/Dockerfile, starts infra/docker-compose.yml with it, and sells there.
#
#   infra/docker/start-check.sh          needs root; the first run compiles a release
#   infra/docker/start-check.sh clean    forgets the images
#
# The engine is Debian's podman, driven by docker-compose 1.29, in a network of its own and with its
# images under .data/docker/.  No registry is asked, so the images that the two files name are made
# here: debian and swift of a minimal Debian, the latter with the toolchain of this machine; redis
# and postgres as infra/docker/stand-in/ says, with Debian's Redis 7 and PostgreSQL 15.
set -euo pipefail
cd "$(dirname "$0")/../.."
store=$PWD/.data/docker/engine

# shellcheck source=infra/deb/packages.sh
source infra/deb/packages.sh
# shellcheck source=infra/machine.sh
source infra/machine.sh

[ "$(id -u)" = 0 ] || fail "Containers and machines need root: run this as root."
case ${1:-} in
  clean) rm -rf --one-file-system "$store"; exit 0 ;;
  '' | _inside) ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac

ok() { printf 'ok      %s\n' "$*"; }
expect() { [ "$2" = "$3" ] || fail "$1: expected '$3', found '$2'."; }

# eventually WHAT COMMAND...: within two minutes.
eventually() {
  local what=$1 deadline=$((SECONDS + 120))
  shift
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || fail "gave up waiting: $what"
    sleep 0.2
  done
}

# --- The engine: what it keeps is under $store, what it knows of a run under $work

work=$(mktemp -d)
trap finish EXIT

finish() {
  local code=$?
  [ $code = 0 ] || [ ! -S "$work/engine.sock" ] || compose logs --tail=30 2>&1 || true
  [ ! -S "$work/engine.sock" ] || compose down -v --timeout 10 > /dev/null 2>&1 || true
  rm -rf --one-file-system "$work" 2> /dev/null || true
  exit $code
}

prepare_engine() {
  mkdir -p "$store/images" "$store/tmp" "$work/run"
  cat > "$work/storage.conf" << CONF
[storage]
driver = "overlay"
graphroot = "$store/images"
runroot = "$work/run"
CONF
  # The engine would ask for more open files and processes than some machines allow.
  cat > "$work/containers.conf" << CONF
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
tmp_dir = "$work/tmp"
[network]
network_backend = "netavark"
network_config_dir = "$work/networks"
CONF
  # Where a name without a host belongs.
  echo 'unqualified-search-registries = ["docker.io"]' > "$work/registries.conf"
  export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf
  export CONTAINERS_REGISTRIES_CONF=$work/registries.conf TMPDIR=$store/tmp
  # Health checks are asked here: no systemd runs them.
  export DISABLE_HC_SYSTEMD=true
}

# --- The images

has_image() { podman image exists "docker.io/library/$1"; }

# image NAME FOLDER: of a machine's files.
image() {
  has_image "$1" || tar -C "$2" --one-file-system -c . |
    podman import -q - "docker.io/library/$1" > /dev/null
}

# build NAME ARGUMENT...
build() {
  local name=$1
  shift
  # With the host's network: apt asks what the host's apt asks.
  podman build --pull=never --network=host -q -t "docker.io/library/$name" "$@" \
    > "$work/build.log" 2>&1 || { tail -n 40 "$work/build.log"; fail "The image $name fails."; }
}

build_images() {
  local swift mirror mounts=()
  swift=$(swift_root)
  mounts+=(--volume "$swift:$swift:ro")
  for mirror in $(package_mirrors); do mounts+=(--volume "$mirror:$mirror:ro"); done
  make_base_with_stores
  image debian:bookworm-slim "$machine_base"
  image machine "$machine_with_stores"
  build redis:7-bookworm --target redis infra/docker/stand-in
  build postgres:16-bookworm --target postgres infra/docker/stand-in
  printf '%s\n' 'FROM debian:bookworm-slim' \
    "RUN apt-get update && apt-get install -y --no-install-recommends ${toolchain_needs[*]}" \
    "ENV PATH=$swift/usr/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" > "$work/swift"
  build "swift:$(swift_version)-bookworm" -f "$work/swift" "$work"
  echo "building the image (the first time takes some minutes) ..."
  build stockstream "${mounts[@]}" -f infra/Dockerfile .
}

swift_version() { sed -n 's/^ARG SWIFT_VERSION=//p' infra/Dockerfile; }

check_image() {
  local run=(podman run --rm --network=none --entrypoint= stockstream) program
  expect 'the user of the image' "$("${run[@]}" id -u)" 7420
  expect 'a toolchain in the image' "$("${run[@]}" sh -c 'command -v swift' || true)" ''
  for program in stockd stockworker stockctl; do
    expect "libraries that $program misses" \
      "$("${run[@]}" ldd "/usr/bin/$program" | grep 'not found' || true)" ''
  done
  ok "image: $(mebibytes stockstream), $(mebibytes debian:bookworm-slim) of it the minimal Debian;" \
    "programs $("${run[@]}" du -cm /usr/bin/stockd /usr/bin/stockworker /usr/bin/stockctl |
      tail -n 1 | cut -f 1) MiB"
}

mebibytes() {
  podman image inspect --format '{{.Size}}' "$1" | awk '{ printf "%.0f MiB", $1 / 1048576 }'
}

# --- The containers

compose() {
  DOCKER_HOST=unix://$work/engine.sock COMPOSE_HTTP_TIMEOUT=120 docker-compose \
    --project-name check --project-directory infra -f infra/docker-compose.yml \
    -f "$work/limits.yml" "$@"
}

start_engine() {
  podman system service --time=0 "unix://$work/engine.sock" > "$work/engine.log" 2>&1 &
  eventually 'the engine answers' test -S "$work/engine.sock"
  # A machine that allows fewer open files than the file asks for, and to nobody more.
  local files=65536
  [ "$(ulimit -Hn)" -ge $files ] || files=$(ulimit -Hn)
  printf '%s\n' 'version: "3.8"' 'services:' '  stockd:' '    ulimits:' \
    "      nofile: $files" "      nproc: 4096" > "$work/limits.yml"
}

container() { echo "check_${1}_1"; }
healthy() { podman healthcheck run "$(container "$1")"; }
state() { podman inspect --format "{{.State.$2}}" "$(container "$1")"; }
call() { compose exec -T stockd stockctl "$@"; }
books() { compose exec -T postgres psql -U stockstream -XAtq -c "$1"; }

up() {
  compose up -d --no-build > "$work/up.log" 2>&1 ||
    { cat "$work/up.log" "$work/engine.log"; fail "docker-compose up fails."; }
  local service
  for service in redis postgres stockd stockworker; do
    eventually "$service is healthy" healthy $service
  done
}

in_books() { [ "$(books "SELECT status FROM holds WHERE sku = '$1'")" = ACTIVE ]; }

sell() {
  call stock set "$1" 1 > /dev/null
  call reserve "$1" --user ada --key "$1" > "$work/answer" ||
    { cat "$work/answer"; fail "It does not sell."; }
  local code=0
  call reserve "$1" --user bob --key "$1" > /dev/null || code=$?
  expect 'a second reserve of the only unit' $code 3
  eventually 'the hold stands in the books' in_books "$1"
}

check_start() {
  up
  ok 'up: all four are healthy by their own health checks'
  sell first
  ok "sold: $(head -n 1 "$work/answer"); it stands in the books"
  expect 'dead letters' "$(compose exec -T stockworker stockctl dead list | tr -d '\r')" 'total=0'
  eventually 'the books balance' compose exec -T stockworker stockctl audit
  ok 'the worker answers inside its container: no dead letter, and the books balance'
  podman cp "$(container stockd)":/usr/bin/stockctl "$work/stockctl"
  "$work/stockctl" health --address 127.0.0.1:7420 > /dev/null || fail "7420 is not published."
  expect 'published ports' "$(podman ps --format '{{.Ports}}' | grep -c .)" 1
  ok 'published: the server alone, on 127.0.0.1:7420'
}

# The containers as they run, not as the file says.
check_confinement() {
  local service pid
  for service in stockd stockworker; do
    pid=$(state $service Pid)
    expect "$service" "$(sed -nE 's/^(Uid|NoNewPrivs|CapEff):\s*(\S+).*/\2/p' "/proc/$pid/status" |
      paste -s -d ' ')" '7420 0000000000000000 1'
    # Even root could not.
    ! compose exec -T --user root $service touch /usr/bin/intruder 2> /dev/null ||
      fail "$service can write."
    ! tr '\0' '\n' < "/proc/$pid/cmdline" | grep -qf <(cat .data/docker/redis_*) ||
      fail "$service shows a password on its command line."
  done
  for service in stockd stockworker redis postgres; do
    ! podman inspect "$(container $service)" |
      grep -qf <(cat .data/docker/redis_* .data/docker/database_password) ||
      fail "The engine shows a password of $service."
  done
  ok 'confined: user 7420, no capability, no new privileges, nothing to write to; no password shown'
}

check_crash() {
  local service before
  for service in stockd stockworker; do
    before=$(state $service Pid)
    kill -KILL "$before"
    eventually "$service is started again" has_restarted $service "$before"
  done
  eventually 'stockd is healthy again' healthy stockd
  sell after-crash
  ok 'killed: both are started again, and sell'
}

has_restarted() { [ "$(state "$1" Running)" = true ] && [ "$(state "$1" Pid)" != "$2" ]; }

check_stop() {
  local service
  compose stop > /dev/null 2>&1
  for service in stockd stockworker; do expect "exit code of $service" "$(state $service ExitCode)" 0; done
  compose rm -f > /dev/null 2>&1
  up
  eventually 'the first hold is known' call hold get --user ada --key first
  in_books first || fail "The books have forgotten the first hold."
  ok 'stopped with 0, made anew: the volumes remember every hold'
}

prepare_engine
if [ "${1:-}" = _inside ]; then
  ip link set lo up
  start_engine
  check_start
  check_confinement
  check_crash
  check_stop
else
  need podman buildah runc netavark aardvark-dns iptables docker-compose debootstrap
  infra/docker/passwords.sh > /dev/null
  build_images
  check_image
  unshare --net --mount --pid --fork --kill-child --mount-proc "$0" _inside
fi
