#!/bin/sh
# Starts a program with the addresses of its stores, whose passwords come from files: anyone who
# may ask the container engine sees a container's settings, but not what its files hold.
#
#   REDIS_PASSWORD_FILE, with REDIS_USER (default: none) and REDIS_HOST (default: redis)
#   DATABASE_PASSWORD_FILE, with DATABASE_HOST (default: postgres)
#
# A password is of letters, digits, - and _: others would have another meaning in an address.
set -eu

# password FILE
password() {
  if [ ! -r "$1" ]; then
    echo "The password file $1 cannot be read by the user $(id -un)." >&2
    exit 64
  fi
  if ! grep -qxE '[A-Za-z0-9_-]+' "$1"; then
    echo "The password in $1 must be one line of letters, digits, - and _." >&2
    exit 64
  fi
  cat "$1"
}

if [ -n "${REDIS_PASSWORD_FILE:-}" ]; then
  secret=$(password "$REDIS_PASSWORD_FILE")
  export REDIS_URL="redis://${REDIS_USER:-}:$secret@${REDIS_HOST:-redis}:6379"
fi
if [ -n "${DATABASE_PASSWORD_FILE:-}" ]; then
  secret=$(password "$DATABASE_PASSWORD_FILE")
  export DATABASE_URL="postgresql://stockstream:$secret@${DATABASE_HOST:-postgres}:5432/stockstream"
fi
exec "$@"
