#!/usr/bin/env bash
# Writes an ACL file for Redis: the users of users.conf with their passwords, which Redis gets as SHA-256.
#
#   infra/redis/make-acl.sh FOLDER FILE        FILE as a whole or not at all, readable by its folder's group
#   infra/redis/make-acl.sh FOLDER             to standard output
#
# FOLDER holds a password in a file for each user: stockd, stockworker, operator, replica; one line each.
# Where there is a stockd.new beside stockd, both passwords are good: infra/PASSWORDS.md.
set -euo pipefail
users=$(dirname "$0")/users.conf
folder=${1:?"usage: $0 FOLDER [FILE]"}
file=${2:-}

hash_of() {
  local password
  password=$(head -n 1 "$1") || exit 64
  if [ -z "$password" ]; then
    echo "$1 holds no password." >&2
    exit 64
  fi
  # printf, which is the shell's own: no process's arguments show the password.
  printf '#%s' "$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)"
}

# The passwords of a user: the one, and the one that takes its place.
hashes_of() {
  hash_of "$folder/$1"
  [ ! -e "$folder/$1.new" ] || { printf ' '; hash_of "$folder/$1.new"; }
}

# One line for each user, in the order of their first ones.
joined=$(awk '/^user / {
  name = $2
  if (!(name in rules)) order[++count] = name
  $1 = $2 = ""
  rules[name] = rules[name] $0
}
END { for (i = 1; i <= count; i++) print order[i] rules[order[i]] }' "$users")

lines=''
while read -r name rules; do
  case " $rules " in
    *' off '*) hashes='' ;;
    *) hashes=$(hashes_of "$name") ;;
  esac
  lines+="user $name $rules${hashes:+ $hashes}"$'\n'
done <<< "$joined"

# Redis takes an empty file, or half a one, as it is: and lets everybody in.
if [ -n "$file" ]; then
  new=$(mktemp "$file.XXXXXX")
  printf %s "$lines" > "$new"
  chmod 640 "$new"
  if [ -e "$file" ]; then chown --reference="$file" "$new"; fi
  mv "$new" "$file"
else
  printf %s "$lines"
fi
