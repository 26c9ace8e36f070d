#!/usr/bin/env bash
# Installs the Debian packages that are missing; with none missing it does nothing, and needs no
# root.  infra/run.sh and infra/test.sh call it first.
set -euo pipefail

# What each is for: the two stores; the libraries that the programs link; the compilers of the
# contracts; the second, independent client of the wire test; the clients and their tests; a clock that a
# test can set; a pooler that the worker must name.
wanted=(
  redis-server postgresql
  libhiredis-dev libpq-dev libprotobuf-c-dev libssl-dev
  protobuf-c-compiler protobuf-compiler
  python3 python3-protobuf python3-pip python3-setuptools python3-wheel
  gcc g++ make pkg-config valgrind faketime pgbouncer
)

if ! command -v swift > /dev/null; then
  echo "StockStream needs a Swift toolchain (6.3 or later) on the PATH: https://swift.org/install" >&2
  exit 1
fi
if ! command -v apt-get > /dev/null; then
  echo "StockStream installs with apt-get, which is not here; install by hand: ${wanted[*]}" >&2
  exit 1
fi

installed() { [ "$(dpkg-query -W -f '${Status}' "$1" 2> /dev/null)" = 'install ok installed' ]; }

missing=()
for package in "${wanted[@]}"; do installed "$package" || missing+=("$package"); done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ]; then as_root=()
elif command -v sudo > /dev/null; then as_root=(sudo)
else
  echo "These packages are missing, and without root or sudo they must be installed for you:" \
    "apt-get install ${missing[*]}" >&2
  exit 1
fi

# Debian starts what it installs.  A redis-server or PostgreSQL on the default ports is not what
# was asked for, so they are neither started now nor at the next boot.  Services that were there
# before are left alone, and so is a policy that an administrator has set.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" > /dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
echo "installing: ${missing[*]}"
as_root+=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1)
{ "${as_root[@]}" apt-get update -qq &&
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null; } || {
  echo "apt-get could not install, as said above; these are missing: ${missing[*]}" >&2
  exit 1
}
for service in redis-server postgresql pgbouncer; do
  if [[ " ${missing[*]} " == *" $service "* ]]; then
    "${as_root[@]}" update-rc.d "$service" disable > /dev/null 2>&1 || true
  fi
done
