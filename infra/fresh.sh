#!/usr/bin/env bash
# Proves the two commands, and the package, on machines that have nothing: a minimal Debian in a
# folder each.
#
#   infra/fresh.sh           run.sh and test.sh on one; the package, without Swift, on another
#   infra/fresh.sh clean     forget the cached machine
#
# How it works: debootstrap makes the machine once, under .data/fresh/base; each run works on copies
# of it.  Into the first the Swift toolchain is bound read-only, and every local package mirror that
# the host's git names; the host's apt and git settings are carried in.  All of it happens in
# namespaces of its own, which take every mount and process with them when they end.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD folder=$PWD/.data/fresh

fail() { echo "$*" >&2; exit 1; }
step() { echo "=== $*"; }

[ "$(id -u)" = 0 ] || fail "A machine in a folder needs root: run this as root."
case ${1:-} in
  clean) rm -rf --one-file-system "$folder"; exit 0 ;;
  '') unshare --mount --pid --fork --kill-child --mount-proc "$root/infra/fresh.sh" _inside
    exit ;;
  _inside) ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac

# What a Swift toolchain needs of Debian 12, as https://www.swift.org/install/linux/tarball/ says, and
# what a clone needs.
toolchain_needs=(
  binutils ca-certificates git libc6-dev libcurl4 libedit2 libgcc-12-dev libncurses6 libpython3.11
  libsqlite3-0 libstdc++-12-dev libxml2 libz3-4 tzdata zlib1g-dev
)

swift_root() { dirname "$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")"; }

carry_settings() {
  local machine=$1
  mkdir -p "$machine/etc/apt/apt.conf.d"
  rm -f "$machine/etc/apt/sources.list"
  cp -a /etc/apt/sources.list* "$machine/etc/apt/" 2> /dev/null || true
  cp -a /etc/apt/apt.conf.d/*registry* /etc/apt/apt.conf.d/*proxy* "$machine/etc/apt/apt.conf.d/" \
    2> /dev/null || true
  cp /etc/resolv.conf /etc/hosts "$machine/etc/" 2> /dev/null || true
  if [ -e /etc/gitconfig ]; then cp /etc/gitconfig "$machine/etc/gitconfig"; fi
}

make_base() {
  [ ! -e "$folder/base/.complete" ] || return 0
  step "making a minimal Debian (once)"
  command -v debootstrap > /dev/null ||
    { apt-get update -qq && apt-get install -y -qq debootstrap > /dev/null; }
  rm -rf --one-file-system "$folder/base"
  mkdir -p "$folder/base"
  debootstrap --variant=minbase bookworm "$folder/base" "$(mirror)" > "$folder/debootstrap.log" ||
    fail "debootstrap failed; see $folder/debootstrap.log"
  touch "$folder/base/.complete"
}

# The mirror that the host's apt uses.
mirror() {
  { grep -hoE '^(URIs: *|deb +)[a-z+]+://[^ ]+' /etc/apt/sources.list /etc/apt/sources.list.d/* \
    2> /dev/null || true; } | grep -oE '[a-z+]+://.*' | head -n 1 | grep . ||
    echo http://deb.debian.org/debian
}

bind_read_only() {
  local machine=$1 path=$2
  mkdir -p "$machine$path"
  mount --bind "$path" "$machine$path"
  mount -o remount,bind,ro "$machine$path"
}

make_machine() {
  local machine=$1
  step "a new machine: $(basename "$machine")"
  rm -rf --one-file-system "$machine"
  cp -a "$folder/base" "$machine"
  carry_settings "$machine"
  mount -t proc proc "$machine/proc"
  mount --rbind /dev "$machine/dev"
  # Nothing that is installed starts by itself: the ports are shared with the host.
  printf '#!/bin/sh\nexit 101\n' > "$machine/usr/sbin/policy-rc.d"
  chmod 755 "$machine/usr/sbin/policy-rc.d"
  inside "$machine" apt-get update -qq
}

install() {
  local machine=$1
  shift
  inside "$machine" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends "$@" > "$folder/apt.log" 2>&1 ||
    fail "apt-get failed; see $folder/apt.log"
}

add_toolchain() {
  local machine=$1 path
  bind_read_only "$machine" "$(swift_root)"
  git config --get-regexp '^url\..*\.insteadof$' | sed -nE 's/^url\.(\/[^ ]*)\.insteadof .*/\1/p' |
    sort -u | while read -r path; do
      [ ! -d "$path" ] || bind_read_only "$machine" "${path%/}"
    done
}

inside() {
  local machine=$1
  shift
  chroot "$machine" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM=dumb CI=true \
    PATH="$(swift_root)/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
}

sell() {
  # shellcheck disable=SC2016
  inside "$1" bash -euc '
    cd /root/stockstream
    infra/run.sh --detach
    source .data/env
    PATH="$PWD/.build/release:$PATH"
    redis-cli -u "$REDIS_URL" SET stock:fresh 1
    stockctl reserve fresh --user ada --key k1
    stockctl reserve fresh --user bob --key k2 && exit 1 || [ $? = 3 ]
    for try in $(seq 100); do
      [ "$(psql "$DATABASE_URL" -Atc "SELECT status FROM holds")" != ACTIVE ] || break
      sleep 0.1
    done
    psql "$DATABASE_URL" -Atc "SELECT sku, qty, user_id, status FROM holds"
    infra/run.sh stop'
}

# The daemons as systemd would start them: as their own user, with the files of the package.
sell_packaged() {
  # shellcheck disable=SC2016
  inside "$1" bash -euc '
    ! command -v swift
    settings=/usr/share/doc/stockstream/examples/redis.conf
    redis-server "$settings" --daemonize yes --dir /tmp > /dev/null
    pg_ctlcluster 15 main start
    as_postgres() { setpriv --reuid postgres --regid postgres --init-groups psql -Atq "$@"; }
    as_postgres -c "CREATE ROLE stockstream LOGIN"
    as_postgres -c "CREATE DATABASE stockstream OWNER stockstream"
    as_user=(setpriv --reuid stockstream --regid stockstream --init-groups)
    export DATABASE_URL=postgresql:///stockstream?host=/var/run/postgresql
    "${as_user[@]}" stockd --check-config
    "${as_user[@]}" stockd > /tmp/stockd.log 2>&1 & server=$!
    "${as_user[@]}" stockworker > /tmp/stockworker.log 2>&1 & worker=$!
    for try in $(seq 100); do stockctl health > /dev/null 2>&1 && break; sleep 0.1; done
    stockctl health
    redis-cli SET stock:fresh 1
    stockctl reserve fresh --user ada --key k1
    stockctl reserve fresh --user bob --key k2 && exit 1 || [ $? = 3 ]
    books() { as_postgres stockstream -c "SELECT sku, qty, user_id, status FROM holds"; }
    for try in $(seq 100); do [ -z "$(books 2> /dev/null)" ] || break; sleep 0.1; done
    [ "$(books)" = "fresh|1|ada|ACTIVE" ] || { cat /tmp/stockworker.log; exit 1; }
    books
    kill $server $worker
    wait $server
    wait $worker
    echo "both ended with 0"'
}

mkdir -p "$folder"
make_base
builder=$folder/builder
make_machine "$builder"
add_toolchain "$builder"
install "$builder" "${toolchain_needs[@]}"
step "a clone"
git clone -q --no-hardlinks "$root" "$builder/root/stockstream"
step "infra/run.sh, and a sale"
sell "$builder"
step "infra/test.sh"
inside "$builder" bash -c 'set -o pipefail; cd /root/stockstream && infra/test.sh' |
  grep -E '^(---|[0-9]+ passed|.*✘)'
step "the package"
inside "$builder" bash -c 'cd /root/stockstream && infra/deb/build.sh' > "$folder/deb.log" 2>&1 ||
  fail "the package could not be built; see $folder/deb.log"
tail -n 3 "$folder/deb.log"

customer=$folder/customer
make_machine "$customer"
cp "$builder"/root/stockstream/.data/deb/stockstream_*.deb "$customer/root/"
step "installing it beside Redis and PostgreSQL"
install "$customer" redis-server postgresql "/root/$(cd "$customer/root" && ls stockstream_*.deb)"
step "a sale"
sell_packaged "$customer"
step "done"
