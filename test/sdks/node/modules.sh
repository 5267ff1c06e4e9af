#!/usr/bin/env bash
# modules.sh DIR: install in DIR what package-lock.json pins, and run no package's scripts. Where Node 20 or later is missing, apt-get
# installs Debian's.
set -euo pipefail
dir=$1 here=$(cd "$(dirname "$0")" && pwd)

able() { node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null; }

if ! able; then
  echo 'modules.sh: installing nodejs and npm' >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends nodejs npm >&2
  able || { echo 'modules.sh: there is no Node 20 or later with npm' >&2; exit 1; }
fi

# A rename is atomic: an interrupted installation leaves nothing that looks like one.
mkdir -p "$(dirname "$dir")"
new=$dir.$$
trap 'rm -rf "$new"' EXIT
mkdir "$new"
cp "$here/package.json" "$here/package-lock.json" "$new"
npm ci --prefix "$new" --ignore-scripts --no-audit --no-fund --silent
mv -T "$new" "$dir"
