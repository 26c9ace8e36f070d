#!/usr/bin/env bash
# Builds .data/deb/stockstream_VERSION_ARCH.deb.  It installs on a Debian 12 that has no Swift.
#
#   infra/deb/build.sh
#
# DEBFULLNAME and DEBEMAIL, as Debian's own tools read them, say who maintains the package.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD here=$PWD/infra/deb out=$PWD/.data/deb
programs=(stockd stockworker stockctl)

# shellcheck source=infra/deb/packages.sh
source "$here/packages.sh"

# --disable-local-rpath: else a library that lies beside the program would be loaded instead of
# the system's.  -z now: no table of functions stays writable while the program runs.
compile() {
  local program options=(
    -c release --static-swift-stdlib --disable-local-rpath -Xlinker -z -Xlinker now
    --scratch-path .build-deb
  )
  echo "building (the first time takes some minutes) ..."
  for program in "${programs[@]}"; do swift build "${options[@]}" --product "$program"; done
  built=$(swift build "${options[@]}" --show-bin-path)
}

# put MODE FILE PLACE: into the package.
put() { install -D -m "$1" "$2" "$tree/$3"; }

# put_zipped FILE PLACE; -n, since a time in it would make every build differ.
put_zipped() {
  mkdir -p "$(dirname "$tree/$2")"
  gzip -9n < "$1" > "$tree/$2"
  chmod 644 "$tree/$2"
}

add_programs() {
  local program
  for program in "${programs[@]}"; do
    put 755 "$built/$program" "usr/bin/$program"
    strip --strip-unneeded --remove-section=.comment "$tree/usr/bin/$program"
    add_completions "$program"
  done
}

# Under the names by which each shell looks for them.
add_completions() {
  local shell place
  for shell in bash zsh fish; do
    case $shell in
      bash) place=usr/share/bash-completion/completions/$1 ;;
      zsh) place=usr/share/zsh/vendor-completions/_$1 ;;
      fish) place=usr/share/fish/vendor_completions.d/$1.fish ;;
    esac
    "$built/$1" --generate-completion-script "$shell" > "$work/completion"
    put 644 "$work/completion" "$place"
  done
  # It is sourced, never run; and autoloaded by zsh, which reads the first line.
  sed -i '1{/^#!/d}' "$tree/usr/share/bash-completion/completions/$1"
}

add_files() {
  local daemon
  for daemon in stockd stockworker; do
    put 644 "$here/units/$daemon.service" "lib/systemd/system/$daemon.service"
    put 640 "$here/conf/$daemon.conf" "etc/stockstream/$daemon.conf"
    put 640 "$here/conf/$daemon.default" "etc/default/$daemon"
    put_zipped "$here/man/$daemon.8" "usr/share/man/man8/$daemon.8.gz"
  done
  put_zipped "$here/man/stockctl.1" usr/share/man/man1/stockctl.1.gz
  put 644 infra/redis/redis.conf "$docs/examples/redis.conf"
  put 644 infra/redis/users.conf "$docs/examples/users.conf"
  put 755 infra/redis/make-acl.sh "$docs/examples/make-acl.sh"
  put 644 "$here/examples/postgres.sql" "$docs/examples/postgres.sql"
  put 644 infra/postgres/roles.sql "$docs/examples/roles.sql"
  put 644 infra/postgres/logins.sql "$docs/examples/logins.sql"
  put 644 "$here/examples/socket-group.conf" "$docs/examples/socket-group.conf"
  put 644 "$here/copyright" "$docs/copyright"
  debian_changelog > "$work/changelog"
  put_zipped "$work/changelog" "$docs/changelog.gz"
  put 644 "$here/lintian-overrides" usr/share/lintian/overrides/stockstream
}

# The first part of CHANGELOG.md in Debian's form.
debian_changelog() {
  printf 'stockstream (%s) unstable; urgency=medium\n\n' "$version"
  awk '/^## / { parts++ } parts > 1 { exit }
    sub(/^- /, "  * ") || sub(/^  /, "    ")' CHANGELOG.md | fold -s -w 78 |
    sed -E 's/^([^ ])/    \1/; s/ +$//'
  printf '\n -- %s  %s\n' "$maintainer" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")"
}

# Which packages hold the shared libraries, and from which version on.
shared_libraries() {
  mkdir -p "$work/shlibs/debian"
  printf 'Source: stockstream\n\nPackage: stockstream\nArchitecture: any\n' \
    > "$work/shlibs/debian/control"
  (cd "$work/shlibs" && dpkg-shlibdeps -O "${programs[@]/#/-e$tree/usr/bin/}") |
    sed -n 's/^shlibs:Depends=//p'
}

add_control() {
  local script
  mkdir "$tree/DEBIAN"
  for script in postinst prerm postrm; do put 755 "$here/scripts/$script" "DEBIAN/$script"; done
  (cd "$tree" && find etc -type f -printf '/%p\n' | LC_ALL=C sort) > "$tree/DEBIAN/conffiles"
  (cd "$tree" && find usr lib -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) \
    > "$tree/DEBIAN/md5sums"
  cat > "$tree/DEBIAN/control" << CONTROL
Package: stockstream
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -k -s --apparent-size --exclude DEBIAN "$tree" | cut -f 1)
Depends: adduser, $(shared_libraries)
Suggests: redis-server (>= 5:6), postgresql
Section: net
Priority: optional
Description: sells limited stock to a crowd without ever selling a unit twice
 Redis decides, in one script, who gets a unit, and holds it until a deadline; a
 stream carries what happened; a worker writes it into PostgreSQL, each event
 once.  Callers speak length-prefixed protobuf over TCP or a Unix socket.
 .
 The package holds the server stockd, the worker stockworker and the command
 line stockctl.  Neither daemon is started by the installation, since both need
 their stores first.
CONTROL
}

command -v swift > /dev/null || fail "Building needs a Swift toolchain: https://swift.org/install"
infra/install.sh
need dpkg-dev binutils
compile

umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree docs=usr/share/doc/stockstream
version=$("$built/stockctl" --version)
architecture=$(dpkg --print-architecture)
maintainer="${DEBFULLNAME:-StockStream} <${DEBEMAIL:-maintainers@stockstream.invalid}>"
# The time of every file in the package: the same commit gives the same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || date +%s)}
export SOURCE_DATE_EPOCH

add_programs
add_files
add_control
package=$out/stockstream_${version}_$architecture.deb
mkdir -p "$out"
# Whole or not at all: the checks take the newest package that they find.
dpkg-deb --root-owner-group -Zxz --build "$tree" "$package.new" > /dev/null
mv "$package.new" "$package"
echo "${package#"$root"/}: $(du -h "$package" | cut -f 1)"
