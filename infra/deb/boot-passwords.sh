# Sourced by boot-check.sh: infra/PASSWORDS.md, done on the booted machine.

# steps SECTION: the commands of a section of infra/PASSWORDS.md, for the role of these books.
steps() {
  awk -v section="## $1" '/^## / { here = index($0, section) == 1 } here' infra/PASSWORDS.md |
    sed -nE '/^ *```sh$/,/^ *```$/{/```/d; s/^   //; s/stock_worker/stockstream/g; p}'
}

take_steps() {
  steps "$1" > "$machine/root/steps"
  inside bash -eu /root/steps > "$work/steps" 2>&1 || { cat "$work/steps"; fail "The steps for $1 fail."; }
}

# New passwords by the very commands of infra/PASSWORDS.md, while a crowd of callers buys.
check_passwords() {
  local folder=/root/passwords old url buyers bought
  old=$(inside cat $folder/stockd)
  url='postgresql:\/\/stockstream_a:first@127.0.0.1:5432\/stockstream'
  as postgres psql -XAtq -d stockstream -v role=stockstream \
    -f /usr/share/doc/stockstream/examples/logins.sql
  as postgres psql -XAtqc "ALTER ROLE stockstream_a PASSWORD 'first'"
  inside sed -i "s/^#DATABASE_URL=.*/DATABASE_URL=$url/" /etc/default/stockworker
  inside systemctl restart stockworker
  redis SET stock:passwords 100000 > /dev/null
  : > "$work/refused"
  touch "$work/buy"
  buy "$work/refused" &
  buyers=$!
  take_steps Redis
  take_steps PostgreSQL
  rm "$work/buy"
  wait $buyers
  bought=$(redis HGET sku:passwords held)
  [ ! -s "$work/refused" ] || { cat "$work/refused"; fail "A call was refused meanwhile."; }
  [ "$bought" -gt 10 ] || fail "Only $bought units were sold meanwhile."
  [[ $(inside env REDISCLI_AUTH="$old" redis-cli --user stockd PING 2>&1) == *WRONGPASS* ]] ||
    fail "The old password of Redis lets in."
  ! as postgres psql -Xq "$(sed 's/\\//g' <<< "$url")" -c 'SELECT 1' 2> /dev/null ||
    fail "The old login of PostgreSQL lets in."
  eventually 'the books have what was sold meanwhile' books_have "$bought"
  ok "new passwords for both stores: $bought sold meanwhile, none refused, the old ones let nobody in"
}

# One unit after another, as long as there is a file that says so.  While its only server starts again a new
# stockctl finds nobody; whatever a server says to it has to be a hold.
buy() {
  local key=0
  while [ -e "$work/buy" ]; do
    key=$((key + 1))
    as stockstream stockctl reserve passwords --user ada --key "passwords-$key" --address $stock \
      > "$work/bought" 2>&1 || grep -q UNREACHABLE "$work/bought" || cat "$work/bought" >> "$1"
  done
}

books_have() {
  [ "$(books "SELECT sum(qty) FROM holds WHERE sku = 'passwords'")" = "$1" ]
}
