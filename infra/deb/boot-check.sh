#!/usr/bin/env bash
# Checks the package where it will live: on a minimal Debian that systemd has booted, in a container
# with a network of its own.  Follows infra/deb/README.md there: installs beside a real Redis and a
# real PostgreSQL, sells, crashes, restarts, stops, upgrades, boots again, purges.
#
#   infra/deb/boot-check.sh [PACKAGE.deb]     the newest of .data/deb/ when none is named
#
# Needs root and a kernel with namespaces and control groups; no systemd outside.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$PWD/.data/deb

# shellcheck source=infra/deb/packages.sh
source infra/deb/packages.sh
# shellcheck source=infra/machine.sh
source infra/machine.sh
source infra/deb/boot-passwords.sh && source infra/deb/signals.sh

ok() { printf 'ok      %s\n' "$*"; }
expect() { [ "$2" = "$3" ] || fail "$1: expected '$3', found '$2'."; }

# eventually WHAT COMMAND...: within half a minute.
eventually() {
  local what=$1 deadline=$((SECONDS + 30))
  shift
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || fail "gave up waiting: $what"
    sleep 0.1
  done
}

# --- The machine

console=$out/console.log supervisor='' leader=''
trap finish EXIT

finish() {
  local code=$?
  [ $code = 0 ] || [ -z "$leader" ] ||
    inside journalctl --no-pager --quiet -n 40 -u stockd -u stockworker || true
  halt
  rm -rf --one-file-system "$work"
  exit $code
}

# Everything that the checks need is fetched now: the machine has no network once it runs.
make_machine() {
  make_base_with_stores
  cp -a "$machine_with_stores" "$machine"
  cp "$package" "$machine/root/stockstream.deb"
  make_upgrade
  in_folder "$machine" apt-get install -y -qq --no-install-recommends --download-only \
    /root/stockstream.deb
  in_folder "$machine" systemd-machine-id-setup
  # Its network is loopback alone, and that is up from the start.
  in_folder "$machine" systemctl mask systemd-networkd-wait-online.service
}

# The same programs as a later version.
make_upgrade() {
  dpkg-deb -R "$package" "$work/next"
  sed -i "s/^Version: .*/&+next/" "$work/next/DEBIAN/control"
  dpkg-deb --root-owner-group -Znone --build "$work/next" "$machine/root/next.deb" > /dev/null
}

boot() {
  # With the machine's own control groups, and without a manager of machines outside.
  systemd-nspawn --quiet --boot --directory="$machine" --machine=stockstream-check \
    --private-network --register=no --keep-unit --link-journal=no --console=pipe \
    > "$console" 2>&1 < /dev/null &
  supervisor=$!
  eventually "systemd starts; see $console" has_started
  # It asks a bus that is not there yet, a little after the start.
  eventually "the machine boots; see $console" is_booted
}

has_started() { leader=$(pgrep -P "$supervisor" -x systemd); }

is_booted() { [[ $(inside systemctl is-system-running) =~ ^(running|degraded)$ ]]; }

halt() {
  [ -n "$supervisor" ] || return 0
  kill -TERM "$supervisor" 2> /dev/null || true
  wait "$supervisor" || true
  supervisor='' leader=''
}

# In the machine while it runs, as a root shell there.
inside() {
  nsenter --target "$leader" --all --root --wd -- \
    /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"
}

# property UNIT NAME: what systemd says of it.
property() { inside systemctl show --value --property "$2" "$1"; }

# is UNIT STATE
is() { [ "$(property "$1" ActiveState)" = "$2" ]; }

as() {
  local user=$1
  shift
  inside runuser -u "$user" -- "$@"
}

books() { as postgres psql -XAtq -d stockstream -c "$1"; }

stock=unix:/run/stockstream/stockd.sock
books=unix:/run/stockworker/stockworker.sock

# redis-cli, which says who it is as soon as there are users.
redis() {
  if inside test -e /root/passwords/operator; then
    # shellcheck disable=SC2016 # the inner shell's variable
    inside sh -c 'REDISCLI_AUTH=$(cat /root/passwords/operator) redis-cli --user operator "$@"' redis "$@"
  else
    inside redis-cli "$@"
  fi
}

# --- The checks

check_install() {
  inside apt-get install -y -qq --no-install-recommends /root/stockstream.deb \
    > "$work/apt" 2>&1 || { cat "$work/apt"; fail "The package does not install."; }
  local unit
  for unit in stockd stockworker; do
    expect "$unit after the installation" \
      "$(property $unit ActiveState) $(property $unit UnitFileState)" 'inactive disabled'
  done
  ! inside sh -c 'command -v swift' || fail "The machine has a Swift toolchain."
  ok "installed without Swift, $(du -sh "$machine" | cut -f 1) in all;" \
    'neither daemon is started or enabled by that'
}

# As infra/deb/README.md says.
prepare_stores() {
  local example=/usr/share/doc/stockstream/examples
  inside sh -c "cat $example/redis.conf >> /etc/redis/redis.conf"
  inside systemctl restart redis-server
  as postgres psql -Xq -f $example/postgres.sql
}

# Ready is not started: each waits for its stores, and systemctl with it.
check_readiness() {
  inside systemctl stop redis-server postgresql
  inside systemctl enable --quiet --no-block --now stockd stockworker
  eventually 'stockworker is started' is stockworker activating
  eventually 'stockworker asks for its stores' \
    inside journalctl --quiet -u stockworker --grep=postgresql
  expect 'stockworker without its stores' "$(property stockworker ActiveState)" activating
  inside systemctl start redis-server postgresql
  eventually 'stockworker is ready' is stockworker active
  eventually 'stockd is ready' is stockd active
  ok 'Type=notify: the worker is ready when its stores have answered, and not before'
}

# Installs a setting, and starts the server with it.
listen_on_socket() {
  inside sh -c "echo 'listen: 127.0.0.1:7420,$stock' >> /etc/stockstream/stockd.conf"
  inside systemctl restart stockd
}

# sell SKU: one unit, by the Unix socket, once; and the books know of it.
sell() {
  # After a start of Redis the worker compares it with the books before anything is sold from it.
  eventually 'the server sells' as stockstream stockctl health --address $stock
  redis SET "stock:$1" 1 > /dev/null
  as stockstream stockctl reserve "$1" --user ada --key "$1" --address $stock > "$work/answer" ||
    { cat "$work/answer"; fail "It does not sell."; }
  local code=0
  as stockstream stockctl reserve "$1" --user bob --key "$1" --address $stock > /dev/null || code=$?
  expect 'a second reserve of the only unit' $code 3
  eventually 'the hold stands in the books' in_books "$1"
}

in_books() {
  [ "$(books "SELECT qty, user_id, status FROM holds WHERE sku = '$1'")" = '1|ada|ACTIVE' ]
}

check_sale() {
  listen_on_socket
  sell first
  ok "sold over the socket: $(head -n 1 "$work/answer")"
  local code=0
  as nobody stockctl health --address $stock > /dev/null 2>&1 || code=$?
  [ $code != 0 ] || fail "Anybody can use the socket."
  ok "a stranger cannot use the socket: $(inside stat -c '%U:%G %a' "${stock#unix:}")"
}

# The worker's own address, and a Unix socket beside it.
check_worker() {
  inside sh -c "echo 'listen: 127.0.0.1:7421,$books' >> /etc/stockstream/stockworker.conf"
  inside systemctl restart stockworker
  as nobody stockctl health --address 127.0.0.1:7421 > /dev/null || fail "The worker does not answer."
  expect 'dead letters' "$(as stockstream stockctl dead list --address $books)" 'total=0'
  eventually 'the books balance' as stockstream stockctl audit --address $books
  expect "the worker's socket" "$(inside stat -c '%U:%G %a' "${books#unix:}")" 'stockstream:stockstream 660'
  ! as nobody stockctl health --address $books > /dev/null 2>&1 || fail "Anybody can use the worker's socket."
  ok 'the worker answers on 127.0.0.1:7421 and on its socket: no dead letter, and the books balance'
}

# A Redis user for each daemon, as infra/deb/README.md says; everything after this is done by them.
check_redis_users() {
  local daemon folder=/root/passwords
  inside install -d -m 700 $folder
  inside sh -c "cd $folder && for user in stockd stockworker operator replica
    do openssl rand -hex 16 > \$user; done
    /usr/share/doc/stockstream/examples/make-acl.sh $folder /etc/redis/users.acl
    echo 'aclfile /etc/redis/users.acl' >> /etc/redis/redis.conf"
  for daemon in stockd stockworker; do
    inside sed -i "s|^#REDIS_URL=.*|REDIS_URL=redis://$daemon:$(inside cat $folder/$daemon)@127.0.0.1:6379|" \
      /etc/default/$daemon
  done
  inside systemctl restart redis-server
  inside systemctl restart stockd stockworker
  [[ $(inside redis-cli PING) == NOAUTH* ]] || fail "Redis lets in who does not say who it is."
  sell by-users
  ! inside sh -c "journalctl --quiet -o cat | grep -qFf $folder/stockd -f $folder/stockworker" ||
    fail "The journal shows a password."
  ok 'a Redis user for each daemon, with the least that it needs: it sells, and no password is logged'
}

# What the unit promises, seen from inside its process.
check_hardening() {
  local unit pid path
  for unit in stockd stockworker; do
    pid=$(property $unit MainPID)
    expect "$unit" "$(inside sed -nE 's/^(NoNewPrivs|CapEff|CapBnd|Seccomp):\s*//p' /proc/"$pid"/status |
      paste -s -d ' ')" '0000000000000000 0000000000000000 1 2'
    # Even root could not write there.
    for path in / /etc /usr/bin /var/lib /var/log /root /home; do
      ! inside nsenter --target "$pid" --mount -- touch $path/intruder 2> /dev/null ||
        fail "$unit can write to $path."
    done
    inside nsenter --target "$pid" --mount -- touch /tmp/$unit
    [ ! -e "$machine/tmp/$unit" ] || fail "$unit shares /tmp."
    expect "devices of $unit" "$(inside nsenter --target "$pid" --mount -- find /dev -type b)" ''
  done
  ok 'no capability, no new privileges, system calls filtered; the file system is read-only'
}

check_crash() {
  local unit before
  for unit in stockd stockworker; do
    before=$(property $unit MainPID)
    inside systemctl kill --kill-whom=main --signal=KILL $unit
    eventually "$unit is started again" has_restarted $unit "$before"
    expect "restarts of $unit" "$(property $unit NRestarts)" 1
  done
  sell after-crash
  ok 'killed: both are started again, and sell'
}

# has_restarted UNIT PROCESS: another one is ready.
has_restarted() { is "$1" active && [ "$(property "$1" MainPID)" != "$2" ]; }

check_bad_setting() {
  local file=/etc/stockstream/stockd.conf
  cp "$machine$file" "$work/good"
  echo 'hold-ms: soon' >> "$machine$file"
  ! inside systemctl restart stockd 2> /dev/null || fail "stockd starts with a bad setting."
  expect 'stockd with a bad setting' \
    "$(property stockd ExecMainStatus) $(property stockd NRestarts) $(property stockd ActiveState)" \
    '64 0 failed'
  ok "a bad setting: $(inside journalctl --quiet -o cat -u stockd --grep=hold-ms | tail -n 1)"
  cat "$work/good" > "$machine$file"
  inside systemctl restart stockd
}

# A stop in the middle of work: what was accepted is answered, and goes into the books.
check_stop() {
  local unit load code
  as stockstream stockctl bench --sku stopped --stock $stock_at_stop --seconds 30 --connections 8 \
    --address $stock > "$work/bench" 2>&1 &
  load=$!
  eventually 'the load has begun' has_sold
  inside systemctl stop stockd
  code=0
  wait $load || code=$?
  expect 'the load, whose server went away' $code 1
  inside systemctl stop stockworker
  for unit in stockd stockworker; do
    expect "$unit, stopped" "$(property $unit ExecMainCode) $(property $unit ExecMainStatus) \
$(property $unit Result) $(property $unit ActiveState)" '1 0 success inactive'
  done
  inside systemctl start stockd stockworker
  eventually 'the books have every hold' books_agree
  ok "stopped under load: both end with 0, and the books have all $(held) units held"
}

stock_at_stop=1000000
held() { echo $((stock_at_stop - $(redis GET stock:stopped))); }
has_sold() { [ "$(held)" -gt 0 ]; }
books_agree() {
  [ "$(books "SELECT sum(qty) FROM holds WHERE sku = 'stopped' AND status = 'ACTIVE'")" = "$(held)" ]
}

# With the drop-in that the package ships as an example.
check_socket_group() {
  local folder=/etc/systemd/system/stockd.service.d
  inside groupadd --system shop
  inside useradd --system --gid shop --no-create-home clerk
  inside sh -c 'echo "socket-owner: :shop" >> /etc/stockstream/stockd.conf'
  ! inside systemctl restart stockd 2> /dev/null || fail "stockd gives away what it may not."
  ok "another group, without the drop-in: $(inside journalctl --quiet -o cat -u stockd \
    --grep=socket-owner | tail -n 1)"
  inside install -D -m 644 /usr/share/doc/stockstream/examples/socket-group.conf \
    $folder/socket-group.conf
  inside systemctl daemon-reload
  inside systemctl restart stockd
  expect 'the socket of another group' "$(inside stat -c '%U:%G %a' "${stock#unix:}")" \
    'stockstream:shop 660'
  as clerk stockctl state --address $stock > "$work/state" || fail "The group shop cannot call."
  grep -q "uid $(inside id -u clerk) " "$work/state" ||
    { cat "$work/state"; fail "The server does not see who calls."; }
  ok 'another group, with the drop-in: its members call over the socket, each by his own name'
  inside sed -i '/^socket-owner/d' /etc/stockstream/stockd.conf
  inside rm -r $folder
  inside systemctl daemon-reload
  inside systemctl restart stockd
}

check_upgrade() {
  local server worker
  server=$(property stockd MainPID)
  worker=$(property stockworker MainPID)
  inside dpkg --force-confold -i /root/next.deb > "$work/dpkg" 2>&1 ||
    { cat "$work/dpkg"; fail "The upgrade has failed."; }
  eventually 'stockd runs anew' has_restarted stockd "$server"
  eventually 'stockworker runs anew' has_restarted stockworker "$worker"
  server=$(inside systemctl show --value -p ExecMainStartTimestampMonotonic stockd)
  worker=$(inside systemctl show --value -p ActiveEnterTimestampMonotonic stockworker)
  [ "$worker" -lt "$server" ] || fail "The server was started again before the worker was ready."
  sell after-upgrade
  ok 'upgraded while both run: both run the new version, the worker first, with the old settings'

  server=$(property stockd MainPID)
  inside systemctl stop postgresql
  inside timeout 120 dpkg --force-confold -i /root/next.deb > "$work/dpkg" 2>&1 ||
    { cat "$work/dpkg"; fail "The upgrade waits for PostgreSQL."; }
  eventually 'stockd runs anew, and sells' has_restarted stockd "$server"
  inside systemctl start postgresql
  eventually 'stockworker is ready' is stockworker active
  ok 'upgraded while PostgreSQL is away: the server runs anew, the worker when it is back'
}

check_boot() {
  halt
  boot
  eventually 'stockd is up after the boot' is stockd active
  eventually 'stockworker is up after the boot' is stockworker active
  sell after-boot
  expect 'the first hold' "$(books "SELECT status FROM holds WHERE sku = 'first'")" ACTIVE
  ok 'booted again: both start by themselves, and nothing is forgotten'
}

check_purge() {
  local server worker
  server=$(property stockd MainPID)
  worker=$(property stockworker MainPID)
  inside dpkg --purge stockstream > "$work/dpkg" 2>&1 ||
    { cat "$work/dpkg"; fail "The purge has failed."; }
  [ -z "$(inside systemctl list-units --all --no-legend 'stock*')" ] ||
    fail "The purge has left a unit: $(inside systemctl list-units --all --no-legend 'stock*')"
  inside ls -d "/proc/$server" "/proc/$worker" > "$work/left" 2> /dev/null || true
  [ ! -s "$work/left" ] || fail "The purge has left a process."
  [ ! -e "$machine/etc/stockstream" ] || fail "The purge has left settings."
  ! inside sh -c 'ls -d /run/stock*' 2> /dev/null || fail "The purge has left a folder in /run."
  expect 'the books after a purge' "$(books "SELECT status FROM holds WHERE sku = 'first'")" ACTIVE
  ok 'purged while both run: both end, no unit is left; the books are'
}

[ "$(id -u)" = 0 ] || fail "A machine in a folder needs root: run this as root."
package=$(realpath "${1:-$(find "$out" -maxdepth 1 -name '*.deb' -printf '%T@ %p\n' 2> /dev/null |
  sort -n | tail -n 1 | cut -d ' ' -f 2-)}")
[ -f "$package" ] || fail "There is no package yet: infra/deb/build.sh"
need debootstrap systemd-container
mkdir -p "$out"
work=$(mktemp -d -p "$out" boot.XXXXXX)
machine=$work/machine

make_machine
boot
check_install
prepare_stores
check_readiness
check_sale
check_worker
check_redis_users
check_passwords
check_hardening
check_crash
check_signals
check_bad_setting
check_socket_group
check_stop
check_upgrade
check_boot
check_purge
