#!/bin/sh
# Starts Redis in its container as infra/redis/redis.conf says, with the password of a file.
#
# The file of settings is written inside the container: a flag would show the password to anyone
# who lists processes.
set -eu
umask 077

if ! grep -qxE '[A-Za-z0-9_-]+' /run/secrets/redis_password; then
  echo "redis_password must be one line of letters, digits, - and _." >&2
  exit 64
fi
{
  cat /etc/stockstream/redis.conf
  # Later lines win: the other containers come from other addresses, and know the password.
  echo 'bind * -::*'
  echo "requirepass $(cat /run/secrets/redis_password)"
  echo 'dir /data'
} > /tmp/redis.conf
# redis:7's own entrypoint lets go of root; the file must then be the user's.
if [ "$(id -u)" = 0 ]; then chown redis /tmp/redis.conf; fi
exec docker-entrypoint.sh redis-server /tmp/redis.conf
