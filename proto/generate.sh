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
cd "$(dirname "$0")/.."

into=Sources/CStockProto
described=Sources/Contracts/describe_reply.binpb
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
  stock/v1/{connection,envelope,health,reservations,stock}.proto)
sed -i 's/^from stock\.v1 import /from . import /' "$work"/python/stock/v1/*

# octal FILE: its bytes as a string of protobuf's text format has them.
octal() { od -An -v -to1 "$1" | tr -d '\n' | sed 's/ /\\/g'; }

# The files as they are, and not as protoc-c gets them.
(
  cd proto
  LC_ALL=C
  protoc --include_imports --descriptor_set_out="$work/set" stock/v1/*.proto
  printf 'descriptors: "%s"\n' "$(octal "$work/set")"
  for contract in stock/v1/*.proto; do
    printf 'files { name: "%s" text: "%s" }\n' "$contract" "$(octal "$contract")"
  done
) | protoc -I proto --encode=stock.v1.DescribeReply stock/v1/reflection.proto > "$work/described"

if [ "${1:-}" = --check ]; then
  cmp "$described" "$work/described"
  for made in "$work"/out/stock/v1/*.c; do diff -u "$into/$(basename "$made")" "$made"; done
  for made in "$work"/out/stock/v1/*.h; do diff -u "$into/include/stock/v1/$(basename "$made")" "$made"; done
  for made in "$work"/python/stock/v1/*; do diff -u "$python/$(basename "$made")" "$made"; done
  exit 0
fi
mkdir -p "$into/include/stock/v1"
cp "$work/described" "$described"
cp "$work"/out/stock/v1/*.c "$into/"
cp "$work"/out/stock/v1/*.h "$into/include/stock/v1/"
cp "$work"/python/stock/v1/* "$python/"
