#!/usr/bin/env bash
# Writes the protobuf-c code of the contracts into Sources/CStockProto, what the server says of its
# contracts (the reply of Reflection/Describe, encoded) into Sources/Contracts, and the modules of the
# Python client into clients/python.
#
#   proto/generate.sh           regenerate
#   proto/generate.sh --check   fail if the committed code is not what the contracts generate
#
# A `string` is given to protoc-c as `bytes`, which is the same on the wire: protobuf-c would hand a
# string over without its length, and a NUL inside it would hide the rest from every check.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

into=Sources/CStockProto
described=Sources/Contracts
server=describe_server.binpb worker=describe_worker.binpb
python=clients/python/src/stockstream/_contracts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/proto/stock/v1" "$work/out"
for contract in proto/stock/v1/*.proto; do
  sed -E 's/^(  (repeated )?)string /\1bytes /' "$contract" > "$work/$contract"
done
protoc-c -I "$work/proto" --c_out="$work/out" "$work"/proto/stock/v1/*.proto

# The Python client's modules live in its package, and import each other from there.
mkdir "$work/python"
(cd proto && protoc --python_out="$work/python" --pyi_out="$work/python" \
  stock/v1/{connection,envelope,events,feed,health,records,reservations,stock}.proto)
sed -i 's/^from stock\.v1 import /from . import /' "$work"/python/stock/v1/*

# octal FILE: its bytes as a string of protobuf's text format has them.
octal() { od -An -v -to1 "$1" | tr -d '\n' | sed 's/ /\\/g'; }

# pack INTO CONTRACT...: a daemon's contracts.  The files as they are, and not as protoc-c gets them.
pack() (
  local packed=$1
  shift
  cd proto
  protoc --include_imports --descriptor_set_out="$work/set" "$@"
  {
    printf 'descriptors: "%s"\n' "$(octal "$work/set")"
    for contract; do printf 'files { name: "%s" text: "%s" }\n' "$contract" "$(octal "$contract")"; done
  } | protoc --encode=stock.v1.DescribeReply stock/v1/reflection.proto > "$packed"
)

# Each daemon describes what it serves.
workers=(dead_letters audit records) shared=(connection diagnostics envelope health reflection)
of_worker=() of_server=()
for name in $(printf '%s\n' "${workers[@]}" "${shared[@]}" | sort); do
  of_worker+=("stock/v1/$name.proto")
done
for contract in proto/stock/v1/*.proto; do
  name=$(basename "$contract" .proto)
  [[ " ${workers[*]} " == *" $name "* ]] || of_server+=("stock/v1/$name.proto")
done
pack "$work/$server" "${of_server[@]}"
pack "$work/$worker" "${of_worker[@]}"

if [ "${1:-}" = --check ]; then
  for file in $server $worker; do cmp "$described/$file" "$work/$file"; done
  for made in "$work"/out/stock/v1/*.c; do diff -u "$into/$(basename "$made")" "$made"; done
  for made in "$work"/out/stock/v1/*.h; do diff -u "$into/include/stock/v1/$(basename "$made")" "$made"; done
  for made in "$work"/python/stock/v1/*; do diff -u "$python/$(basename "$made")" "$made"; done
  exit 0
fi
mkdir -p "$into/include/stock/v1"
cp "$work/$server" "$work/$worker" "$described/"
cp "$work"/out/stock/v1/*.c "$into/"
cp "$work"/out/stock/v1/*.h "$into/include/stock/v1/"
cp "$work"/python/stock/v1/* "$python/"
