# Sourced by the scripts that need a machine of their own: a minimal Debian in a folder.

# A bare Debian 12, and one with Redis, PostgreSQL and systemd; made once, and copied by each use.
machine_base=$PWD/.data/machine
machine_with_stores=$PWD/.data/machine-with-stores

# Makes it, which needs root and a mirror of Debian.
make_base() {
  [ ! -d "$machine_base" ] || return 0
  echo "making a minimal Debian from $(mirror) (once) ..."
  mkdir -p "$(dirname "$machine_base")"
  rm -rf --one-file-system "$machine_base.new"
  debootstrap --variant=minbase bookworm "$machine_base.new" "$(mirror)" \
    > "$machine_base.log" 2>&1 || fail "debootstrap has failed; see $machine_base.log"
  carry_settings "$machine_base.new"
  # A machine for an hour need not survive a power cut.
  echo force-unsafe-io > "$machine_base.new/etc/dpkg/dpkg.cfg.d/no-sync"
  mv "$machine_base.new" "$machine_base"
}

make_base_with_stores() {
  local new=$machine_with_stores.new
  [ ! -d "$machine_with_stores" ] || return 0
  make_base
  echo "making one with Redis, PostgreSQL and systemd (once) ..."
  rm -rf --one-file-system "$new"
  cp -a "$machine_base" "$new"
  in_folder "$new" apt-get update -qq
  in_folder "$new" apt-get install -y -qq --no-install-recommends \
    systemd-sysv dbus redis-server postgresql
  mv "$new" "$machine_with_stores"
}

# in_folder MACHINE COMMAND...: as root of a machine that does not run; what it says goes to a log.
# With /proc, and nothing that is installed starts by itself.
in_folder() {
  local machine=$1
  shift
  unshare --mount --pid --fork --kill-child --mount-proc="$machine/proc" chroot "$machine" \
    /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    "$@" >> "$machine_base.log" 2>&1 || fail "$1 has failed; see $machine_base.log"
}

# The mirror that the host's apt uses.
mirror() {
  { grep -hoE '^(URIs: *|deb +)[a-z+]+://[^ ]+' /etc/apt/sources.list /etc/apt/sources.list.d/* \
    2> /dev/null || true; } | grep -oE '[a-z+]+://.*' | head -n 1 | grep . ||
    echo http://deb.debian.org/debian
}

# Where the host's apt and git find what they fetch.
carry_settings() {
  rm -f "$1/etc/apt/sources.list"
  cp -a /etc/apt/sources.list* "$1/etc/apt/" 2> /dev/null || true
  cp -a /etc/apt/apt.conf.d/*registry* /etc/apt/apt.conf.d/*proxy* "$1/etc/apt/apt.conf.d/" \
    2> /dev/null || true
  cp /etc/resolv.conf /etc/hosts "$1/etc/" 2> /dev/null || true
  if [ -e /etc/gitconfig ]; then cp /etc/gitconfig "$1/etc/gitconfig"; fi
}

# What a Swift toolchain needs of Debian 12, as https://www.swift.org/install/linux/tarball/ says, and
# what a clone needs.
toolchain_needs=(
  binutils ca-certificates git libc6-dev libcurl4 libedit2 libgcc-12-dev libncurses6 libpython3.11
  libsqlite3-0 libstdc++-12-dev libxml2 libz3-4 tzdata zlib1g-dev
)

swift_root() { dirname "$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")"; }

# The folders that the host's git takes packages from, one a line.
package_mirrors() {
  git config --get-regexp '^url\..*\.insteadof$' | sed -nE 's/^url\.(\/[^ ]*)\.insteadof .*/\1/p' |
    sort -u | while read -r path; do [ ! -d "$path" ] || echo "${path%/}"; done
}
