#!/bin/sh
# What docker-entrypoint.sh of redis:7 does for us: it lets go of root.
set -eu
chown -R redis: .
exec setpriv --reuid redis --regid redis --clear-groups "$@"
