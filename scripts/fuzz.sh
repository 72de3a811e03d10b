#!/usr/bin/env bash
# Runs every fuzz target of the module, each for the time $1.
set -euo pipefail

found=0
while read -r package folder; do
  targets=$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$folder"/*_test.go 2>/dev/null || true)
  for target in $targets; do
    echo "fuzz: $target in $package"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${1:-10s}" "$package"
    found=$((found + 1))
  done
done < <(go list -f '{{.ImportPath}} {{.Dir}}' ./...)
[ "$found" -gt 0 ] || {
  echo "fuzz: no fuzz target found" >&2
  exit 1
}
