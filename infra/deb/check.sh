#!/usr/bin/env bash
# Checks the package that infra/deb/build.sh has built.
#
#   infra/deb/check.sh [PACKAGE.deb]     the newest of .data/deb/ when none is named
#
# The last part installs, upgrades and purges in a minimal Debian, made once with debootstrap, and
# needs root; without root it is left out, and that is said.  infra/deb/boot-check.sh runs the units.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/infra/deb out=$PWD/.data/deb
programs=(stockd stockworker stockctl)

# shellcheck source=infra/deb/packages.sh
source "$here/packages.sh"
# shellcheck source=infra/machine.sh
source infra/machine.sh

part() { echo "--- $*"; }

# The direct ones; what those need in turn is for dpkg to know.  Without the loader, whose name
# is the architecture's.
check_libraries() {
  local program
  for program in "${programs[@]}"; do
    objdump -p "$unpacked/usr/bin/$program" | awk -v program="$program" \
      '$1 == "NEEDED" && $2 !~ /^ld-linux/ { print program ": " $2 }
       $1 ~ /^(RPATH|RUNPATH)$/ { print program ": " $1 " " $2 }'
  done | LC_ALL=C sort > "$work/libraries"
  diff -u "$here/libraries.txt" "$work/libraries" ||
    fail "The linked libraries (+) differ from infra/deb/libraries.txt (-)."
  awk '{ print $2 }' "$work/libraries" | sort -u | paste -s -d ' '
}

# Each part runs from the unpacked package, so that what was built is what is asked.
check_settings() {
  local daemon file
  for daemon in stockd stockworker; do
    file=$unpacked/etc/stockstream/$daemon.conf
    # The defaults in the file, in force, must be those of the program.
    sed -E "s/^#([a-z-]+: )/\1/; s/HOSTNAME\$/$(hostname)/" "$file" > "$work/all.conf"
    report "$daemon" "$work/all.conf" > "$work/from-file"
    report "$daemon" "$file" > "$work/defaults"
    diff -u "$work/defaults" "$work/from-file" ||
      fail "$daemon.conf (+) and the defaults of $daemon (-) differ."
    [ "$(grep -cE '^[a-z-]+: ' "$work/all.conf")" = "$(wc -l < "$work/defaults")" ] ||
      fail "$daemon.conf does not name every setting of $daemon."
    ! grep -qE '^[^#]' "$file" || fail "$daemon.conf sets something; it should only show defaults."
    echo "$daemon: $(wc -l < "$work/defaults") settings, all with their defaults"
  done
}

# report DAEMON FILE: the effective settings without where they came from.
report() {
  env -i "$unpacked/usr/bin/$1" --config "$2" --check-config | sed -E 's/ +# .*//'
}

# Every command and flag that --help knows stands in the man page, which groff can read.
check_manuals() {
  local page program command flag
  for page in "$here"/man/*; do
    program=$(basename "${page%.*}")
    commands "$program" | sort > "$work/commands"
    while read -r command; do
      tr '\n' ' ' < "$page" | grep -qE -- "(Cm|\||,) $command " ||
        fail "$(basename "$page") does not name the command $command."
    done < <(grep . "$work/commands")
    for flag in $(help_texts "$program" | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
      grep -qE -- "(Fl|,) -${flag#--}( |\$)" "$page" ||
        fail "$(basename "$page") does not name $flag."
    done
    man --warnings -E UTF-8 -l "$page" 2> "$work/groff" > /dev/null
    [ ! -s "$work/groff" ] || fail "$(basename "$page"): $(cat "$work/groff")"
    echo "$(basename "$page"): every flag and command of --help"
  done
}

# commands PROGRAM [WORD...]: those that have no commands below them, one a line; an empty line for a
# program without any.
commands() {
  local program=$1 below word
  shift
  below=$("$unpacked/usr/bin/$program" "$@" --help |
    sed -nE '/^SUBCOMMANDS:/,/^$/s/^  ([a-z][a-z-]*)( .*)?$/\1/p')
  if [ -z "$below" ]; then echo "$*"; fi
  for word in $below; do commands "$program" "$@" "$word"; done
}

help_texts() {
  local program=$unpacked/usr/bin/$1 command
  "$program" --help
  while read -r command; do
    # shellcheck disable=SC2086 # the command's words
    "$program" $command --help
  done < "$work/commands"
}

# Exposure goes from 0 (nothing allowed) to 10.
check_units() {
  local unit
  for unit in stockd.service stockworker.service; do
    sed "s#^ExecStart=#&$unpacked#" "$unpacked/lib/systemd/system/$unit" > "$work/$unit"
    systemd-analyze verify --man=no "$work/$unit" 2>&1 | tee "$work/verdict"
    [ ! -s "$work/verdict" ] || fail "systemd-analyze does not accept $unit."
    systemd-analyze security --no-pager --offline=true --threshold=20 "$work/$unit" \
      > "$work/security" || { cat "$work/security"; fail "$unit is exposed above 2.0."; }
    tail -n 1 "$work/security"
  done
}

# --- On a minimal Debian

# With /proc, from which a Swift program reads its command line: without it, `stockd --help` would
# see no flag and serve.
inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
    timeout --foreground 300 \
    unshare --mount --pid --fork --kill-child --mount-proc="$box/proc" chroot "$box" "$@"
}

# state PATH: who owns it, and who may read it.
state() { inside stat -c '%U:%G %a' "$1"; }

expect() { [ "$2" = "$3" ] || fail "$1: expected '$3', found '$2'."; }

# A later version with other default settings, as an upgrade may bring.
make_upgrade() {
  dpkg-deb -R "$package" "$work/next"
  sed -i "s/^Version: .*/&+next/" "$work/next/DEBIAN/control"
  echo '# New in this version.' >> "$work/next/etc/stockstream/stockd.conf"
  dpkg-deb --root-owner-group -Znone --build "$work/next" "$box/next.deb" > /dev/null
}

check_installation() {
  local conf=/etc/stockstream/stockd.conf program
  cp -a "$machine_base" "$box"
  cp "$package" "$box/package.deb"
  make_upgrade

  inside apt-get update -qq
  inside apt-get install -y -qq --no-install-recommends /package.deb > "$work/log" 2>&1 ||
    { cat "$work/log"; fail "The package does not install."; }
  for program in "${programs[@]}"; do inside "$program" --help > /dev/null; done
  expect "$conf" "$(state $conf)" 'root:stockstream 640'
  expect /etc/default/stockd "$(state /etc/default/stockd)" 'root:root 640'
  # As the unit runs it: its own user reads the file, and nobody else may.
  inside setpriv --reuid stockstream --regid stockstream --clear-groups stockd --check-config \
    > /dev/null || fail "The user stockstream cannot read $conf."
  ! inside setpriv --reuid nobody --regid nogroup --clear-groups cat $conf 2> /dev/null ||
    fail "Anybody can read $conf."
  echo "installed: the programs run, and the settings are the service's own"

  echo 'hold-ms: 60000' >> "$box$conf"
  inside dpkg --force-confdef --force-confold -i /next.deb > "$work/log" 2>&1 ||
    { cat "$work/log"; fail "The upgrade has failed."; }
  inside stockd --check-config | grep -q '^hold-ms: *60000 ' ||
    fail "The upgrade has lost an edited setting."
  [ -e "$box$conf.dpkg-dist" ] || fail "The upgrade did not leave the new $conf beside the old."
  expect "$conf" "$(state $conf)" 'root:stockstream 640'
  echo "upgraded: an edited $conf stays; the new one lies beside it"

  inside dpkg --purge stockstream > "$work/log" 2>&1 ||
    { cat "$work/log"; fail "The purge has failed."; }
  local left
  left=$(inside find / -xdev '(' -name '*stockstream*' -o -name 'stockd*' -o -name 'stockctl*' \
    -o -name 'stockworker*' ')' -not -path '/proc/*')
  [ -z "$left" ] || fail "The purge has left: $left"
  ! inside getent passwd stockstream > /dev/null || fail "The purge has left the user."
  ! inside getent group stockstream > /dev/null || fail "The purge has left the group."
  echo "purged: no file, user or group is left"
}

package=${1:-$(find "$out" -maxdepth 1 -name '*.deb' -printf '%T@ %p\n' 2> /dev/null |
  sort -n | tail -n 1 | cut -d ' ' -f 2-)}
[ -n "$package" ] || fail "There is no package yet: infra/deb/build.sh"
[ -e "$package" ] || fail "There is no $package."
need binutils lintian man-db systemd debootstrap
work=$(mktemp -d)
box=$work/box unpacked=$work/unpacked
trap 'rm -rf --one-file-system "$work"' EXIT
dpkg-deb -x "$package" "$unpacked"

part "$(basename "$package"): $(du -h "$package" | cut -f 1), $(du -sh "$unpacked" |
  cut -f 1) unpacked"
dpkg-deb -f "$package" Depends
part 'linked libraries'
check_libraries
part 'settings'
check_settings
part 'manual pages'
check_manuals
part 'units'
check_units
part 'lintian'
lintian --allow-root --display-info --fail-on error "$package" | tee "$work/tags"
echo "$(wc -l < "$work/tags") tags beside the explained ones of infra/deb/lintian-overrides"
part 'install, upgrade, purge'
if [ "$(id -u)" = 0 ]; then
  make_base
  check_installation
else
  echo 'left out: it needs root'
fi
