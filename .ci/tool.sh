#!/usr/bin/env bash
# tool.sh DIR NAME: build the tool NAME, pinned in .ci/tools/go.mod, as DIR/NAME.
set -euo pipefail
dir=$1 name=$2
cd "$(dirname "$0")/tools"

# go.mod's tool list is the only list: the binary's name comes from Go itself.
pkg=$(go list -f '{{.Target}} {{.ImportPath}}' tool | awk -v n="/$name" 'substr($1, length($1)-length(n)+1) == n {print $2}')
if [ -z "$pkg" ]; then
  echo "tool.sh: .ci/tools/go.mod pins no tool called $name" >&2
  exit 1
fi

mkdir -p "$dir"
echo "building $name (once for this go.sum, in $dir)" >&2
# A rename is atomic: an interrupted build leaves nothing that looks like a tool.
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$dir/.$name.$$" "$pkg"
mv "$dir/.$name.$$" "$dir/$name"
