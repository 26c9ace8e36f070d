#!/bin/sh
# Starts Redis in its container as infra/redis/redis.conf says, with the users of infra/redis/users.conf.
#
# Settings and users are written to files inside the container: a flag would show what it says to anyone
# who lists processes.
set -eu
umask 077

for user in stockd stockworker operator replica; do
  if ! grep -qxE '[A-Za-z0-9_-]+' "/run/secrets/$user"; then
    echo "The password of $user must be one line of letters, digits, - and _." >&2
    exit 64
  fi
done
/etc/stockstream/make-acl.sh /run/secrets > /tmp/users.acl
{
  cat /etc/stockstream/redis.conf
  # Later lines win: the other containers come from other addresses, and know a password.
  echo 'bind * -::*'
  echo 'aclfile /tmp/users.acl'
  echo 'dir /data'
} > /tmp/redis.conf
# redis:7's own entrypoint lets go of root; the files must then be the user's.
if [ "$(id -u)" = 0 ]; then chown redis /tmp/redis.conf /tmp/users.acl; fi
exec docker-entrypoint.sh redis-server /tmp/redis.conf
