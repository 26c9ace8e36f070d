#!/usr/bin/env bash
# Runs one benchmark: infra/bench.sh NAME [ARGUMENTS], where infra/bench/NAME.sh is one.
set -euo pipefail
folder=$(dirname "$0")/bench
names=$(find "$folder" -name '*.sh' -printf '%f\n' | sed 's/\.sh$//' | sort | xargs)
[ -x "$folder/${1:-}.sh" ] || { echo "usage: infra/bench.sh NAME, one of: $names" >&2; exit 64; }
exec "$folder/$1.sh" "${@:2}"
