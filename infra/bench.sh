#!/usr/bin/env bash
# Measures.  infra/bench.sh NAME [arguments] runs infra/bench/NAME.sh; --list lists them.  Without a
# name: `sale`, the whole line beside its peers.  --peers: `sale`, `rpc` and `latency`, everything that is
# compared with a peer or a floor, in one go (half an hour).
#
# A benchmark prints what it measured with the commit, the machine and the settings, leaves the same
# as JSON in .data/bench/NAME.json, and fails only when it could not measure: never over a figure.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- sale
if [ "$1" = --list ]; then
  for script in infra/bench/*.sh; do
    printf '%-10s %s\n' "$(basename "$script" .sh)" "$(sed -n '2s/^# //p' "$script")"
  done
  exit 0
fi
if [ "$1" = --peers ]; then
  for name in sale rpc latency; do
    echo "--- $name"
    infra/bench/$name.sh
  done
  exit 0
fi
script=infra/bench/$1.sh
if [[ $1 == */* ]] || [ ! -e "$script" ]; then
  echo "there is no benchmark '$1'; infra/bench.sh --list names those that exist" >&2
  exit 64
fi
shift
exec "$script" "$@"
