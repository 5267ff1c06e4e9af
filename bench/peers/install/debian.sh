#!/usr/bin/env bash
# debian.sh DIR: unpack HAProxy and nginx, with the libraries that this machine lacks, below DIR. Nothing is installed and no service is
# started. The versions are those of Debian 12; a security update of them is taken, and the run reports which it was.
set -euo pipefail
dir=$1

[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
  echo 'debian.sh: HAProxy and nginx are unpacked from packages that only root can download, with apt-get' >&2
  exit 1
}
# A rename is atomic: an interrupted installation leaves nothing that looks like a whole one.
new=$dir.$$
trap 'rm -rf "$new"' EXIT
mkdir -p "$new/packages/partial"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Downloaded again if installed, because the run uses what is below DIR.
apt-get install -qq -y --no-install-recommends --reinstall --download-only -o "Dir::Cache::archives=$new/packages" \
  'haproxy=2.6.*' 'nginx=1.22.*' >&2
for package in "$new"/packages/*.deb; do dpkg-deb -x "$package" "$new"; done
rm -rf "$new/packages"
mv -T "$new" "$dir"
