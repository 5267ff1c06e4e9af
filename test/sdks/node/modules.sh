#!/usr/bin/env bash
# modules.sh DIR: install in DIR what package-lock.json pins, Node itself included, and run no package's scripts. Where npm is missing,
# apt-get installs Debian's, with whatever Node that needs.
set -euo pipefail
dir=$1 here=$(cd "$(dirname "$0")" && pwd)

if ! command -v npm >/dev/null; then
  echo 'modules.sh: installing npm' >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends npm >&2
fi

# A rename is atomic: an interrupted installation leaves nothing that looks like one.
mkdir -p "$(dirname "$dir")"
new=$dir.$$
trap 'rm -rf "$new"' EXIT
mkdir "$new"
cp "$here/package.json" "$here/package-lock.json" "$new"
npm ci --prefix "$new" --ignore-scripts --no-audit --no-fund --silent
mv -T "$new" "$dir"
