#!/usr/bin/env bash
# Make the virtual environment with the pinned packages and this project, unless it is up to date.
# Usage: scripts/virtual_environment.sh FOLDER
set -euo pipefail

cd "$(dirname "$0")/.."
venv=${1:?give the folder of the virtual environment}
pins=requirements/dev.txt
stamp=$venv/made-from

# The versions for which the pinned packages exist as wheels.
suits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
    # Trying it out also passes over version managers' shims for versions that are not active.
    if "$candidate" -c "$suits" 2>/dev/null && "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      # The base, in case the environment made here is the one that is active.
      "$candidate" -c 'import sys; print(sys._base_executable)'
      return
    fi
  done
  return 1
}

if ! python=$(find_python); then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Python with venv"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || true
    apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null || true
  fi
  if ! python=$(find_python); then
    {
      echo "No Python 3.11 to 3.13 with the venv module was found."
      echo "Install one, then start again (or name one: PYTHON=/path/to/python3.12 make …). On Debian or Ubuntu:"
      echo "    sudo apt-get update && sudo apt-get install -y python3 python3-venv"
    } >&2
    exit 1
  fi
fi

expected=$(
  echo "project $PWD"
  echo "python $("$python" -c 'import sys; print(sys.executable, sys.version.split()[0])')"
  cksum "$pins" pyproject.toml
)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$expected" ]; then
  exit 0
fi

echo "Making the virtual environment $venv with $("$python" --version); this downloads about 800 MB once."
"$python" -m venv --clear "$venv"
install=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
# PyTorch first, in its CPU build where pip's configured sources have one: on Linux PyPI's own build, which
# the pins fall back to, brings gigabytes of CUDA libraries along.
torch=$(grep -oE '^torch==[0-9.]+' "$pins")
"${install[@]}" --no-deps "$torch+cpu" 2>/dev/null || echo "No CPU build of PyTorch was found; taking the one of PyPI."
"${install[@]}" -r "$pins"
# The pins hold everything the project needs to be built and to run, so nothing else is fetched.
"${install[@]}" --no-deps --no-build-isolation -e .
"$venv/bin/python" -m pip check --disable-pip-version-check
printf '%s\n' "$expected" >"$stamp"
