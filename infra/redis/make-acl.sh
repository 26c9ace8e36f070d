#!/usr/bin/env bash
# Writes an ACL file for Redis: the users of users.conf with their passwords, which Redis gets as SHA-256.
#
#   infra/redis/make-acl.sh FOLDER > users.acl
#
# FOLDER holds a password in a file for each user: stockd, stockworker, operator, replica; one line each.
set -euo pipefail
users=$(dirname "$0")/users.conf
folder=${1:?"usage: $0 FOLDER > users.acl"}

hash_of() {
  local password
  password=$(head -n 1 "$folder/$1") || exit 64
  if [ -z "$password" ]; then
    echo "$folder/$1 holds no password." >&2
    exit 64
  fi
  # printf, which is the shell's own: no process's arguments show the password.
  printf %s "$password" | sha256sum | cut -d ' ' -f 1
}

# One line for each user, in the order of their first ones.
joined=$(awk '/^user / {
  name = $2
  if (!(name in rules)) order[++count] = name
  $1 = $2 = ""
  rules[name] = rules[name] $0
}
END { for (i = 1; i <= count; i++) print order[i] rules[order[i]] }' "$users")

while read -r name rules; do
  case " $rules " in
    *' off '*) echo "user $name $rules" ;;
    *)
      hash=$(hash_of "$name")
      echo "user $name $rules #$hash"
      ;;
  esac
done <<< "$joined"
