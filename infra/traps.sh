#!/usr/bin/env bash
# Puts known mistakes back into our own code, one at a time, and shows that the tests fail each time.
#
#   infra/traps.sh            all of them: an hour on two cores, most of it building; on request
#   infra/traps.sh 04 06      those whose names begin so
#   infra/traps.sh --check    only whether each patch still applies: what infra/test.sh runs
#
# A trap is a patch in infra/traps/: what it does, in one line; "Tests:", the filter of those that must
# fail; and the change.  It is applied to a copy of the tree, which is built and tested under .data/traps/.
# Without any trap the same tests must pass.  Fails when a trap is not caught, or no longer applies.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tree=$root/.data/traps/tree
log=$root/.data/traps/log
# git apply must not take the copy for a folder of this repository: it would do nothing, and not say so.
export GIT_CEILING_DIRECTORIES=$root/.data/traps

# A test that a trap keeps waiting may wait for all of its time.
seconds_max=900

about() { sed -n 1p "$1"; }
tests_of() { sed -n 's/^Tests: //p' "$1"; }
in_swift() { (cd "$tree" && SWIFT_BACKTRACE=enable=no "$@" --scratch-path ../build) >> "$log" 2>&1; }

check() {
  local trap code=0
  for trap in infra/traps/*.patch; do
    [ -n "$(tests_of "$trap")" ] || { echo "$trap: it names no tests"; code=1; }
    git apply --check "$trap" || { echo "$trap: does not apply any more"; code=1; }
  done
  return $code
}

# Files as they are here, committed or not.
copy_tree() {
  rm -rf "$tree"
  mkdir -p "$tree"
  git ls-files -z -- Sources Tests proto clients Package.swift | tar -c --null -T - | tar -x -C "$tree"
}

# run FILTER: builds and tests.  0: all passed; 1: some failed; 2: it does not build.
run() {
  local code=0
  : > "$log"
  in_swift swift build --build-tests || return 2
  in_swift timeout --kill-after=10 "$seconds_max" \
    swift test --skip-build --no-parallel --filter "$1" || code=1
  # A filter that fits nothing passes too.
  grep -q '^. Test ".*" \(with .*\)\?\(passed\|failed\) after' "$log" || return 2
  return $code
}

row() { printf '%-24s %-8s %s\n' "$@"; }

# try NAME FILTER WANTED: a row of the table; fails unless the tests do what is wanted.
try() {
  local code=0 failed first
  run "$2" || code=$?
  failed=$(grep -c '^✘ Test ".*failed after' "$log" || true)
  first=$(grep -m1 '^✘ Test ".*recorded an issue' "$log" |
    sed -E 's/^✘ Test "(.*)" recorded an issue( with .*)? at ([^:]*:[0-9]+).*/\3 \1/' | cut -c1-110) || true
  [ $code != 2 ] || first="it does not build, or no test fits; see $log.$1"
  cp "$log" "$log.$1"
  row "$1" "$failed" "${first:-none}"
  [ $code = "$3" ]
}

patch_of() { (cd "$tree" && git apply "${@:2}" "$root/$1"); }

main() {
  local trap name code=0 traps=() all=''
  for name in "${@:-}"; do traps+=(infra/traps/"$name"*.patch); done
  copy_tree
  for trap in "${traps[@]}"; do all+="${all:+|}$(tests_of "$trap")"; done
  row trap failed 'first failure'
  try 'none' "$all" 0 || { echo 'The tests fail without a trap.' >&2; exit 1; }
  for trap in "${traps[@]}"; do
    name=$(basename "$trap" .patch)
    patch_of "$trap" || { echo "$name: does not apply any more"; code=1; continue; }
    try "$name" "$(tests_of "$trap")" 1 || { echo "NOT CAUGHT: $(about "$trap")"; code=1; }
    patch_of "$trap" --reverse
  done
  return $code
}

case ${1:-} in
  --check) check ;;
  -*) sed -n '4,6s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  *) main "$@" ;;
esac
