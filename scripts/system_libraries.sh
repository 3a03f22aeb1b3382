#!/usr/bin/env bash
# Make sure the system's libraries for drawing off screen (VTK through EGL or OSMesa) and for Qt's
# offscreen platform are there: as root on Debian or Ubuntu install what is missing, else say how.
set -euo pipefail

[ "$(uname -s)" = Linux ] || exit 0

# The file that shows a library is there (or another that does), and the packages that bring it,
# newest name last.
needed=(
  "libGL.so.1           libgl1"
  "libEGL.so.1          libegl1"
  "dri/swrast_dri.so|libgallium-*.so  libgl1-mesa-dri"
  "libxkbcommon.so.0    libxkbcommon0"
  "libfontconfig.so.1   libfontconfig1"
  "libdbus-1.so.3       libdbus-1-3"
  "libglib-2.0.so.0     libglib2.0-0 libglib2.0-0t64"
  "libX11.so.6          libx11-6"
)
# VTK falls back to OSMesa where EGL finds no device. Debian 13 no longer has it and needs none.
welcome=(
  "libOSMesa.so.8       libosmesa6"
)

is_there() {
  local folder pattern
  for folder in /usr/lib/*-linux-gnu* /usr/lib64 /usr/lib /usr/local/lib; do
    for pattern in ${1//|/ }; do
      if compgen -G "$folder/$pattern" >/dev/null; then return 0; fi
    done
  done
  return 1
}

# Lines of `needed` or `welcome` whose file is missing.
missing_of() {
  local line
  for line in "$@"; do
    is_there "${line%% *}" || echo "$line"
  done
}

# Of each line the newest package this distribution offers; nothing for one it does not have.
packages_of() {
  local file names name found
  while read -r file names; do
    found=""
    for name in $names; do
      if [ -n "$(apt-cache madison "$name" 2>/dev/null)" ]; then found=$name; fi
    done
    if [ -n "$found" ]; then echo "$found"; fi
  done
}

# The same for a message; where there is no apt to ask, the names on Debian 12.
names_of() {
  if command -v apt-cache >/dev/null; then packages_of; else awk '{print $2}'; fi | tr '\n' ' '
}

missing=$(missing_of "${needed[@]}" "${welcome[@]}")
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || echo "apt-get update failed; trying with the package lists that are there." >&2
  mapfile -t packages < <(packages_of <<<"$missing")
  if [ "${#packages[@]}" -gt 0 ]; then
    echo "Installing system libraries for rendering: ${packages[*]}"
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
      echo "apt-get install failed." >&2
  fi
fi

missing=$(missing_of "${needed[@]}")
[ -n "$missing" ] || exit 0
{
  echo "These system libraries for rendering are missing: $(awk '{print $1}' <<<"$missing" | tr '\n' ' ')"
  echo "Install them, then start again. On Debian or Ubuntu:"
  echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends $(names_of <<<"$missing")"
} >&2
exit 1
