#!/usr/bin/env bash
# Fuzzes what reads a peer's bytes, under AddressSanitizer.
#
#   infra/fuzz.sh [--seconds N] [--new DIR] [target...]   frames, messages, server, client; all of them
#   infra/fuzz.sh --seeds                                 writes the seeds of the corpus anew
#   infra/fuzz.sh replay FILE target                      one input that was found
#
# How it works: the sources under test and Tests/Fuzz are compiled into one program beside SwiftPM, whose
# build would become slower for all.  It begins with Tests/Fuzz/corpus; what it learns stays in DIR
# (.build-fuzz/corpus), an input that breaks a promise in .build-fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/.."
script=infra/$(basename "$0")

usage() { sed -n '4,6s/^# \{0,1\}//p' "$script" >&2; exit 64; }

out=$PWD/.build-fuzz seconds=60 new='' seeds='' replay='' targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?} && shift ;;
    --new) new=${2:?} && shift ;;
    --seeds) seeds=1 ;;
    replay) replay=${2:?} && shift ;;
    frames | messages | server | client) targets+=("$1") ;;
    *) usage ;;
  esac
  shift
done
[ ${#targets[@]} -gt 0 ] || targets=(frames messages server client)
mkdir -p "$out/found"

swift_in=(-swift-version 6 -parse-as-library -wmo -O -g -enable-testing -warnings-as-errors
  -sanitize=fuzzer,address -enable-upcoming-feature ExistentialAny
  -enable-upcoming-feature InternalImportsByDefault -I "$out"
  -Xcc -fmodule-map-file="$PWD/Sources/CCrypto/module.modulemap"
  -Xcc -fmodule-map-file="$PWD/Sources/CProtobufC/module.modulemap"
  -Xcc -I"$PWD/Sources/CStockProto/include" -I "$PWD/Sources/CStockProto/include")
clang=$(dirname "$(readlink -f "$(command -v swiftc)")")/clang

# module NAME FILE...: compiled when a file is newer, or a module before it was compiled.
module() {
  local name=$1
  shift
  if [ -z "$compiled" ] && [ -e "$out/$name.o" ] &&
    [ -z "$(find "$script" "$@" -newer "$out/$name.o" | head -n 1)" ]; then return; fi
  compiled=1
  swiftc "${swift_in[@]}" -module-name "$name" -emit-module -emit-module-path "$out/$name.swiftmodule" \
    -c -o "$out/$name.o" "$@"
  touch "$out/$name.o"
}

build() {
  local file objects=() compiled=''
  for file in Sources/CStockProto/*.c; do
    objects+=("$out/$(basename "$file" .c).o")
    [ "${objects[-1]}" -nt "$file" ] || "$clang" -c -O1 -g -fsanitize=fuzzer-no-link,address \
      -ISources/CStockProto/include "$file" -o "${objects[-1]}"
  done
  module Inventory Sources/Inventory/*.swift
  module Wire Sources/Wire/*.swift
  module RPC Sources/RPC/{FrameReader,ServerMachine,ClientMachine,Limits}.swift
  module Fuzz Tests/Fuzz/*.swift Tests/LedgerTests/EventBytes.swift
  swiftc -use-ld=lld -sanitize=fuzzer,address -parse-as-library "$out"/{Inventory,Wire,RPC,Fuzz}.o \
    "${objects[@]}" -lprotobuf-c -lcrypto -o "$out/fuzz"
}

build

if [ -n "$seeds" ]; then
  rm -rf Tests/Fuzz/corpus
  for target in "${targets[@]}"; do mkdir -p "Tests/Fuzz/corpus/$target"; done
  FUZZ_SEEDS=Tests/Fuzz/corpus "$out/fuzz"
  find Tests/Fuzz/corpus -type f | wc -l
  exit
fi

export ASAN_OPTIONS=detect_leaks=1 SWIFT_BACKTRACE=enable=no
if [ -n "$replay" ]; then
  FUZZ_TARGET=${targets[0]} exec "$out/fuzz" "$replay"
fi
code=0
for target in "${targets[@]}"; do
  learned=${new:-$out/corpus}/$target
  mkdir -p "$learned"
  echo "--- fuzz $target: $seconds s"
  FUZZ_TARGET=$target "$out/fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$out/found/$target-" -print_final_stats=1 "$learned" "Tests/Fuzz/corpus/$target" \
    > "$out/$target.log" 2>&1 || { code=1; tail -n 60 "$out/$target.log"; }
  grep -E 'INITED|DONE|^stat::(number_of_executed|new_units|peak)' "$out/$target.log" || true
done
exit $code
