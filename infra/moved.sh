#!/usr/bin/env bash
# A build folder is full of its own path: in a clone that was moved or copied, swift build ends with
# "missing required module 'SwiftShims'".  This forgets what was built elsewhere, says so, and keeps what
# was fetched; a folder that is at home, or not there, stays as it is.
#
#   infra/moved.sh FOLDER
set -euo pipefail
folder=$(realpath -m "${1:?"usage: $0 FOLDER"}")
logical=$(realpath -ms "$1")

for plan in "$folder"/{debug,release}.yaml; do
  [ -e "$plan" ] || continue
  ! grep -qF -e "\"$folder/" -e "\"$logical/" "$plan" || continue
  echo "$1 was built in another folder: building anew." >&2
  find "$folder" -mindepth 1 -maxdepth 1 ! -name checkouts ! -name repositories ! -name artifacts \
    ! -name workspace-state.json -exec rm -rf {} +
  break
done
