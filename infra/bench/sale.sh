#!/usr/bin/env bash
# The whole sale beside its peers: row locks, Redis called directly, Redis's own limit; growth and expiry.
#
#   infra/bench.sh sale [--rounds 5] [--seconds 3] [--life-seconds 60] [--no-growth]
#
# Reserves of one hot SKU through the RPC, the append-only file synced always and rewritten when due;
# everything shares the cores.  Peers, each in turn in every round: PostgreSQL's row locks (pgbench, 1, 8 and
# 64 clients), one script a call straight to Redis, and stockd's own script in batches as large as stockd's
# were, driven by hiredis alone: the ceiling.  The JSON and charts are in .data/bench/.
set -euo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=infra/bench/rpc/servers.sh
source infra/bench/rpc/servers.sh
build_programs stockworker
build_c load infra/bench/sale/load.c
build_c direct-callers infra/bench/sale/direct.c
build_c ceiling infra/bench/sale/ceiling.c -lhiredis
say_circumstances
/usr/bin/python3 infra/bench/sale/sale.py "$programs" "$built" "$circumstances" "$results" "$@"
