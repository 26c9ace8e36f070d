# Sourced by run.sh: what it asks of the machine.  $data and $log are its folders.

# --- The disk

# Free space below which nothing is started: a cluster, its log and Redis's file need most of it.
mebibytes_to_start=256
# Free space below which a death is blamed on the disk.
mebibytes_when_full=20

free_mebibytes() { df --output=avail -BM "$data" | tail -n 1 | tr -dc '0-9'; }

refuse_full_disk() {
  local free
  free=$(free_mebibytes)
  [ "$free" -ge $mebibytes_to_start ] ||
    fail "The disk of .data/ has $free MiB free, and StockStream starts with $mebibytes_to_start:" \
      "make room, and start again."
}

blame_full_disk() {
  local free
  free=$(free_mebibytes)
  [ "$free" -ge $mebibytes_when_full ] ||
    echo "The disk of .data/ is full ($free MiB free): make room, and start again; what was" \
      "acknowledged is kept." >&2
}

# --- The kernel

# Where the kernel refuses Redis a fork its file is never written anew, and after a start nothing is sold.
say_overcommit() {
  local mode
  mode=$(cat /proc/sys/vm/overcommit_memory 2> /dev/null || echo 1)
  [ "$mode" = 1 ] ||
    echo "vm.overcommit_memory is $mode here, and Redis asks for 1: infra/README.md, \"The kernel\"."
}

# --- The logs

# One that has grown beyond this is begun anew, and the one before it is kept beside it.
log_mebibytes_max=16
seconds_between_looks=5

# Each log is open for appending as long as its program runs: copied, then emptied, under the same name.
turn_logs() {
  local file
  for file in "$log"/*.log; do
    [ "$(stat -c %s "$file" 2> /dev/null || echo 0)" -gt $((log_mebibytes_max << 20)) ] || continue
    if cp "$file" "$file.1"; then : > "$file"; else rm -f "$file.1"; fi
  done
}

# Beside the programs.  What sleeps outlives its shell for a moment, and holds neither lock nor log.
keep_turning_logs() {
  while sleep $seconds_between_looks 9>&- > /dev/null 2>&1; do turn_logs; done
}
