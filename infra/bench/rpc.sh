#!/usr/bin/env bash
# What a call costs the server: Health.Check against a bare echo and gRPC, in one run.
#
#   infra/bench.sh rpc [--runs N] [--seconds S] [--only POINT] [--no-grpc] [--install] [--grpc-swift]
#
# Closed loop at 1×1, 8×1, 64×1, 8×32 and 64×16 connections × calls outstanding (POINT is one of
# them, such as 8x32).  The server has one core, its client another; the systems take turns, at least
# five times.  gRPC C++ is Debian's, as a server on a completion queue and as one of callbacks, which
# is simpler to write: --install lets apt-get fetch it; without it and without --install it is left
# out.  --grpc-swift builds a server on grpc-swift-2 too, into .data/bench/grpc-swift, which takes a
# quarter of an hour or more the first time; BENCH_GRPC_SWIFT names one that is built.
set -euo pipefail
cd "$(dirname "$0")/../.."

runs=5 seconds=1.5 points=(1x1 8x1 64x1 8x32 64x16) install=no grpc=yes swift=no
while [ $# -gt 0 ]; do
  case $1 in
    --runs) runs=$2 && shift ;;
    --seconds) seconds=$2 && shift ;;
    --only) points=("$2") && shift ;;
    --no-grpc) grpc=no ;;
    --install) install=yes ;;
    --grpc-swift) swift=yes ;;
    *) sed -n '4,12s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
  shift
done

# shellcheck source=infra/bench/rpc/servers.sh
source infra/bench/rpc/servers.sh
here=infra/bench/rpc

has_grpc() { pkg-config --exists grpc++ protobuf && command -v grpc_cpp_plugin > /dev/null; }

install_grpc() {
  has_grpc || [ $install = no ] || {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends g++ \
      libgrpc++-dev libprotobuf-dev protobuf-compiler-grpc > /dev/null
  }
  has_grpc || { echo "without gRPC C++: libgrpc++-dev is not installed (--install does it)"; grpc=no; }
}

build_grpc() {
  local name flags
  protoc -Iproto/stock/v1 --cpp_out="$built" --grpc_out="$built" \
    --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" health.proto
  read -ra flags < <(pkg-config --cflags --libs grpc++ protobuf)
  for name in grpc_server grpc_load; do
    [ ! "$built/$name" -nt "$here/$name.cc" ] || continue
    g++ -std=c++17 -O2 -I"$built" -I$here -o "$built/$name" $here/$name.cc "$built"/health.*.cc \
      "${flags[@]}"
  done
}

# Its client is gRPC C++'s: without that it cannot be measured.
build_grpc_swift() {
  [ $grpc = yes ] || fail "--grpc-swift needs gRPC C++ for its client"
  grpc_swift=${BENCH_GRPC_SWIFT:-}
  [ -z "$grpc_swift" ] || return 0
  local build=(nice swift build -c release --static-swift-stdlib --package-path $here/grpc-swift)
  build+=(--scratch-path "$results/grpc-swift")
  echo "building grpc-swift-2 …"
  "${build[@]}" > "$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; fail "it does not build"; }
  grpc_swift=$("${build[@]}" --show-bin-path)/grpc-swift-server
}

two_cores
on_server=(taskset -c "$server_core") on_client=(taskset -c "$client_core")
declare -A port=() pid=() client=()
systems=(stockd echo)

serve() { # NAME CLIENT COMMAND...
  local name=$1
  client[$name]=$2
  shift 2
  start "$name" "${on_server[@]}" "$@"
  pid[$name]=$process
  port[$name]=$(printed_port "$name")
}

build_programs
build_c load $here/load.c
build_c echo_server $here/echo_server.c
[ $grpc = no ] || install_grpc
[ $grpc = no ] || build_grpc
[ $swift = no ] || build_grpc_swift

start_redis "${on_client[@]}"
start_stockd "${on_server[@]}"
port[stockd]=$stock_port pid[stockd]=$stockd_process client[stockd]=load
serve echo load "$built/echo_server"
if [ $grpc = yes ]; then
  systems+=(grpc_cpp grpc_cpp_callback)
  serve grpc_cpp grpc_load "$built/grpc_server" cq
  serve grpc_cpp_callback grpc_load "$built/grpc_server" callback
fi
if [ $swift = yes ]; then
  systems+=(grpc_swift)
  serve grpc_swift grpc_load "$grpc_swift"
fi

say_circumstances runs "$runs" seconds "$seconds"
echo "$runs runs in turn, $seconds s each.  Trust the CPU-µs: calls/s and times suffer from what else runs."
for ((run = 1; run <= runs; run++)); do
  for point in "${points[@]}"; do
    for system in "${systems[@]}"; do
      line=$(timeout 60 "${on_client[@]}" "$built/${client[$system]}" "${port[$system]}" "${point%x*}" \
        "${point#*x}" "$seconds" "${pid[$system]}") || fail "$system failed at $point"
      echo "{\"system\": \"$system\", \"point\": \"$point\", \"run\": $run, ${line#\{}" >> "$work/runs"
    done
  done
done
/usr/bin/python3 $here/table.py "$work/runs" "$circumstances" "$results/rpc.json"
