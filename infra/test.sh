#!/usr/bin/env bash
# Checks everything: formatting, generated code, warnings, every test.  Ends with a count and fails
# if anything has failed.  It builds into .build-test, apart from a developer's own build.
#
#   infra/test.sh          the programs: what CI runs
#   infra/test.sh --box    how they are shipped, alone: the Debian package and the container files
#   infra/test.sh --all    both
#   infra/test.sh --tsan   the tests with threads, and the programs that they start, under ThreadSanitizer
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

passed=0 failed=0
swift_in=(--scratch-path .build-test)

# count PASSED FAILED: what a part that counts for itself has counted.
count() { passed=$((passed + $1)) failed=$((failed + $2)); }

# part NAME COMMAND...: one check, unless the command counts for itself.
part() {
  local name=$1 began=$EPOCHREALTIME before=$((passed + failed)) code=0 mark=ok
  shift
  echo "--- $name"
  "$@" || code=$?
  [ $((passed + failed)) -gt $before ] || count $((code == 0)) $((code != 0))
  [ $code = 0 ] || mark=FAILED
  awk -v name="$name" -v mark="$mark" -v from="$began" -v to="$EPOCHREALTIME" \
    'BEGIN { printf "--- %s: %s in %.1f s\n", name, mark, to - from }'
}

# -warnings-as-errors cannot be given to the whole build: SwiftPM builds dependencies with
# -suppress-warnings, and the two exclude each other.
build() {
  local code=0
  infra/moved.sh .build-test
  swift build "${swift_in[@]}" --build-tests > "$work/build.log" 2>&1 || code=$?
  grep -E "^($root/(Sources|Tests)/[^:]*:[0-9:]*: warning: |warning: '$(basename "$root")')" \
    "$work/build.log" | sort -u > "$work/warnings"
  if [ $code != 0 ]; then cat "$work/build.log"; else cat "$work/warnings"; fi
  [ $code = 0 ] && [ ! -s "$work/warnings" ]
}

# A warning is shown only when its file is compiled: such a file is made new for the next run.
keep_warnings() {
  sed -n "s#^\($root/[^:]*\):.*#\1#p" "$work/warnings" | sort -u | xargs -r touch
}

# swift test leaves one report per testing library; each is counted.  A crash leaves none, and its
# backtrace can hang: it is off, and the whole has a limit.  One test at a time, since each starts
# real servers and two cores are few.
swift_tests() {
  local code=0 report tests bad bad_in_all=0
  SWIFT_BACKTRACE=enable=no timeout --kill-after=10 2100 \
    swift test "${swift_in[@]}" --no-parallel --xunit-output "$work/report.xml" 2>&1 | grep -v \
    -E '^◇ Test (case )?(passing )?.* started\.$' || code=${PIPESTATUS[0]}
  for report in "$work"/report*.xml; do
    [ -e "$report" ] || continue
    read -r tests bad < <(/usr/bin/python3 - "$report" << 'PYTHON'
import sys
import xml.etree.ElementTree as xml
cases = list(xml.parse(sys.argv[1]).iter("testcase"))
having = lambda *names: sum(any(case.find(name) is not None for name in names) for case in cases)
print(len(cases) - having("skipped"), having("failure", "error"))
PYTHON
    )
    count $((tests - bad)) "$bad"
    bad_in_all=$((bad_in_all + bad))
  done
  [ "$code" = 0 ] || [ $bad_in_all -gt 0 ] || count 0 1
  return "$code"
}

# python_tests NAME FILE: unittest says how many ran, and names each that failed.
python_tests() {
  local code=0 ran bad
  STOCKD=$(swift build "${swift_in[@]}" --show-bin-path)/stockd \
    /usr/bin/python3 "$2" > "$work/$1.log" 2>&1 || code=$?
  cat "$work/$1.log"
  ran=$(sed -n 's/^Ran \([0-9]*\) test.*/\1/p' "$work/$1.log")
  bad=$(grep -cE '^(FAIL|ERROR): ' "$work/$1.log")
  [ "$code" = 0 ] || [ "$bad" -gt 0 ] || bad=1
  count $((${ran:-0} > bad ? ${ran:-0} - bad : 0)) "$bad"
  return "$code"
}

c_client() {
  make --no-print-directory -C clients/c check sanitize scenarios > "$work/c.log" 2>&1 ||
    { cat "$work/c.log"; return 1; }
  python_tests c-client clients/c/test/client_test.py
}

# The Swift toolchain's clang has libFuzzer.
fuzz_c_client() {
  local tools
  tools=$(dirname "$(readlink -f "$(command -v swift)")")
  make --no-print-directory -C clients/c fuzz-run CLANG="$tools/clang" FUZZ_SECONDS=10 \
    > "$work/fuzz.log" 2>&1 || { tail -n 50 "$work/fuzz.log"; return 1; }
  grep '^Done' "$work/fuzz.log"
}

# Ten seconds for each of four targets; `infra/fuzz.sh` runs as long as one likes.
fuzz() {
  local code=0 ran
  infra/fuzz.sh --seconds 10 > "$work/fuzz.log" 2>&1 || code=$?
  ran=$(grep -c '^stat::number_of_executed_units' "$work/fuzz.log")
  if [ "$code" = 0 ] && [ "$ran" = 4 ]; then grep -E '^--- |DONE' "$work/fuzz.log"; return; fi
  cat "$work/fuzz.log"
  return 1
}

# Reports of the tests and of every program that they start go into files; the first ends its process.
# Everything is several times slower: no part of --all.  The worker's first thread waits in Dispatch, where
# ThreadSanitizer lets no signal through to it: the tests that end a worker in order are left out.
under_tsan() {
  local code=0 report ends_worker
  ends_worker='ChaosTests|DeadLetterTests|GatherTests|LedgerTests.FaultTests|TrimmingTests|WorkerTests'
  ends_worker+='|BacklogTests|DaemonTests|SevenStepsTests|StockctlTests'
  swift_in=(--scratch-path .build-tsan --sanitize=thread)
  infra/moved.sh .build-tsan
  swift build "${swift_in[@]}" --build-tests > "$work/build.log" 2>&1 || { cat "$work/build.log"; return 1; }
  TSAN_OPTIONS="halt_on_error=1 exitcode=66 log_path=$work/tsan" SWIFT_BACKTRACE=enable=no \
    timeout --kill-after=10 3600 swift test "${swift_in[@]}" --skip-build --no-parallel \
    --filter 'RPCTests|WireTests|HotPathTests|LedgerTests|EndToEndTests' --skip "$ends_worker" \
    > "$work/tsan.log" 2>&1 || code=$?
  grep -E '✘|✔ Test run' "$work/tsan.log"
  for report in "$work"/tsan.[0-9]*; do [ ! -e "$report" ] || { cat "$report"; code=1; }; done
  return "$code"
}

# Builds the package and looks into it, installs it, upgrades it and purges it (root).
package() { infra/deb/build.sh && infra/deb/check.sh; }

# Its units under a systemd of their own.
package_booted() {
  [ "$(id -u)" = 0 ] || { echo 'left out: it needs root'; return 0; }
  infra/deb/boot-check.sh
}

# A small crowd: the whole one is infra/attack.sh.
attack() {
  infra/attack.sh --peers 300 --seconds 3 --programs "$(swift build "${swift_in[@]}" --show-bin-path)"
}

run_check() { infra/run-check.sh "$(swift build "${swift_in[@]}" --show-bin-path)"; }

# Benchmarks are not run here, and must not break unseen: gRPC's C++ is not at hand, the header that its
# programs share with the C ones is read as both.
benchmarks_compile() {
  local flags=(-D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Iclients/c/include -fsyntax-only) source code=0
  for source in infra/bench/*/*.c; do gcc -std=gnu11 "${flags[@]}" "$source" || code=1; done
  echo '#include "infra/bench/rpc/measure.h"' | g++ -std=c++17 "${flags[@]}" -x c++ - || code=1
  for source in infra/bench/*.sh infra/bench/rpc/servers.sh; do bash -n "$source" || code=1; done
  /usr/bin/python3 - infra/bench/*.py infra/bench/*/*.py << 'PYTHON' || code=1
import ast
import sys
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as source:
        ast.parse(source.read(), name)
PYTHON
  return "$code"
}

verdict() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}

the_programs() {
  part 'packages' infra/install.sh
  part 'generated code' proto/generate.sh --check
  part 'traps still apply' infra/traps.sh --check
  part 'format' swift format lint --strict --parallel -r Sources Tests Package.swift
  part 'benchmarks compile' benchmarks_compile
  part 'build without warnings' build
  part 'swift tests' swift_tests
  part 'wire tests' python_tests wire Tests/wire/wire_test.py
  part 'a crowd of bad peers' attack
  part 'fuzzing' fuzz
  part 'infra/run.sh' run_check
  part 'C client' c_client
  part 'C client, fuzzed' fuzz_c_client
  part 'Python client' python_tests python-client clients/python/tests/test_client.py
  keep_warnings
}

the_box() {
  part 'Debian package' package
  part 'Debian package under systemd' package_booted
  part 'container files' infra/docker/check.sh
}

case ${1:-} in
  '') the_programs ;;
  --box) the_box ;;
  --all) the_programs; the_box ;;
  --tsan) part 'ThreadSanitizer' under_tsan ;;
  *) sed -n '5,8s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
verdict
