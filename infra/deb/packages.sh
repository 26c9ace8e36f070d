# Sourced by the scripts here.

fail() { echo "$*" >&2; exit 1; }

# need PACKAGE...: installs the Debian packages that are missing, or says which and stops.
need() {
  local package missing=() as_root=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" = installed ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    as_root=(sudo)
    command -v sudo > /dev/null ||
      fail "Without root or sudo these must be installed for you: apt-get install ${missing[*]}"
  fi
  echo "installing: ${missing[*]}"
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}
