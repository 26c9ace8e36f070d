#!/usr/bin/env bash
# Makes the password files that infra/docker-compose.yml names, once; what exists stays.
#
# The folder is closed to others.  The files in it are not: a container's user must read them, and
# its number is not the owner's.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=.data/docker

mkdir -p "$folder"
chmod 700 "$folder"
for name in redis_stockd redis_stockworker redis_operator redis_replica database_password; do
  [ -s "$folder/$name" ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' > "$folder/$name.new"
  if [ -e "$folder/$name.new" ]; then
    echo >> "$folder/$name.new"
    chmod 644 "$folder/$name.new"
    mv "$folder/$name.new" "$folder/$name"
  fi
done
echo "passwords: $folder/"
