#!/usr/bin/env bash
# Writes again what is generated from the comments on the options: the HCL
# specs, the partial docs, and the pages for Packer's integrations site.
#
#   scripts/generate.sh [--check]     --check: fail if that changed anything
set -euo pipefail
cd "$(dirname "$0")/.."

generated() {
  find . -path ./.cache -prune -o -path ./.git -prune -o -type f \
    \( -name '*.hcl2spec.go' -o -path './docs-partials/*' -o -path './.web-docs/*.md' \) -print0 |
    sort -z | xargs -0r sha256sum
}

# page writes the rendered page $1 to $2, without its front matter.
page() {
  mkdir -p "$(dirname "$2")"
  awk 'NR == 1 && /^---$/ { front = 1; next }
       front { if (/^---$/) { front = 0; skip = 1 }; next }
       skip && /^$/ { next }
       { skip = 0; print }' "$1" >"$2"
}

before=$(generated)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# packer-sdc finds the project's root by its name, and looks for it for ever
# where a checkout is called something else.
ln -s "$PWD" "$work/packer-plugin-maas"
(cd "$work/packer-plugin-maas" && timeout 300 go generate ./...)

go tool packer-sdc renderdocs -src docs -partials docs-partials/ -dst "$work/docs/"
page "$work/docs/README.md" .web-docs/README.md
for kind in builder datasource post-processor; do
  for source in "$work/docs/${kind}s"/*.mdx; do
    [ -f "$source" ] || continue
    page "$source" ".web-docs/components/${kind/datasource/data-source}/$(basename "$source" .mdx)/README.md"
  done
done

if [ "${1:-}" = --check ] && [ "$before" != "$(generated)" ]; then
  echo "generate: these files were out of date, and are not any more:" >&2
  diff <(echo "$before") <(generated) | sed -n 's/^[<>] [0-9a-f]* */  /p' | sort -u >&2
  exit 1
fi
