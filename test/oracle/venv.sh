#!/usr/bin/env bash
# venv.sh DIR REQUIREMENTS: make DIR a Python environment with what the file pins, and nothing that its hashes do not name. Where
# Python 3.11 or later is missing, or cannot make environments, apt-get installs Debian's.
set -euo pipefail
dir=$1 requirements=$2

able() { "$1" -c 'import sys, venv, ensurepip; ensurepip.version(); sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  for python in python3 /usr/bin/python3; do
    if able "$python"; then return; fi
  done
  return 1
}

if ! find_python; then
  echo 'venv.sh: installing python3-venv' >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends python3 python3-venv >&2
  find_python || { echo 'venv.sh: there is no Python 3.11 or later with venv' >&2; exit 1; }
fi

# A rename is atomic: an interrupted installation leaves nothing that looks like an environment.
mkdir -p "$(dirname "$dir")"
new=$dir.$$
trap 'rm -rf "$new"' EXIT
"$python" -m venv "$new"
"$new/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --require-hashes -r "$requirements"
mv -T "$new" "$dir"
