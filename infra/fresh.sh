#!/usr/bin/env bash
# Proves the two commands, and the package, on machines that have nothing: a minimal Debian in a
# folder each.
#
#   infra/fresh.sh           run.sh and test.sh on one; the package, without Swift, on another
#   infra/fresh.sh clean     forget the cached machine
#
# How it works: debootstrap makes the machine once, under .data/; each run works on copies of it.
# Into the first the Swift toolchain is bound read-only, and every local package mirror that the
# host's git names; the host's apt and git settings are carried in.  The second is booted by systemd.
# All of it happens in namespaces of its own, which take every mount and process with them.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD folder=$PWD/.data/fresh

# shellcheck source=infra/deb/packages.sh
source infra/deb/packages.sh
# shellcheck source=infra/machine.sh
source infra/machine.sh

step() { echo "=== $*"; }

[ "$(id -u)" = 0 ] || fail "A machine in a folder needs root: run this as root."
case ${1:-} in
  clean) rm -rf --one-file-system "$folder" "$machine_base" "$machine_with_stores"; exit 0 ;;
  '') unshare --mount --pid --fork --kill-child --mount-proc "$root/infra/fresh.sh" _inside
    exit ;;
  _inside) ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac

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
  cp -a "$machine_base" "$machine"
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
  package_mirrors | while read -r path; do bind_read_only "$machine" "$path"; done
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

mkdir -p "$folder"
need debootstrap systemd-container
make_base
builder=$folder/builder
make_machine "$builder"
add_toolchain "$builder"
install "$builder" "${toolchain_needs[@]}"
step "a clone"
git clone -q --no-hardlinks "$root" "$builder/root/stockstream"
step "infra/run.sh, and a sale"
sell "$builder"
step "the package"
inside "$builder" bash -c 'cd /root/stockstream && infra/deb/build.sh' > "$folder/deb.log" 2>&1 ||
  fail "the package could not be built; see $folder/deb.log"
tail -n 3 "$folder/deb.log"

step "the package on a machine without Swift, booted by systemd"
infra/deb/boot-check.sh "$builder"/root/stockstream/.data/deb/stockstream_*.deb
step "infra/test.sh"
inside "$builder" bash -c 'set -o pipefail; cd /root/stockstream && infra/test.sh' |
  grep -E '^(---|[0-9]+ passed|.*✘)'
step "done"
