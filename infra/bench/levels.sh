#!/usr/bin/env bash
# What each level of acknowledgement costs a caller: MEMORY, FSYNC, REPLICA and LEDGER in one run.
#
#   infra/bench.sh levels [--calls 2000] [--rounds 5]
#
# One blocking reserve after another through the C client over a Unix socket, the levels in turn.  MEMORY has
# a Redis that syncs every second and a server that promises no more; the others share one that syncs always,
# with a replica, a worker and a PostgreSQL that syncs too.  An answer that reached less than was asked for
# ends the run.  Everything shares the cores and the disk.  Figures are left in .data/bench/levels.json.
set -euo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=infra/bench/rpc/servers.sh
source infra/bench/rpc/servers.sh
build_programs stockworker
make --silent -C clients/c BUILD="$built/clients-c" "$built/clients-c/libstockstream.a" \
  "$built/clients-c/libstockstream-contracts.a"
gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Iclients/c/include -o "$built/client" \
  infra/bench/latency/client.c "$built"/clients-c/libstockstream{,-contracts}.a -lprotobuf-c -lm
say_circumstances
/usr/bin/python3 infra/bench/levels/levels.py "$programs" "$built/client" "$circumstances" \
  "$results/levels.json" "$@"
