#!/usr/bin/env bash
# From nothing to an image for MAAS: builds Packer and the plugin, makes a Debian
# disk, runs `packer build` on example/demo, and looks into what came out. Needs no
# root; all it writes is below .cache.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=$PWD/.cache
disk=$cache/disks/debian12.qcow2
demo=$cache/demo
image=$demo/debian12.tar.gz

# Packer's own settings, plugins and downloads stay out of the home folder.
export PACKER_PLUGIN_PATH=$cache/plugins PACKER_CONFIG_DIR=$cache/packer
export PACKER_CACHE_DIR=$cache/packer CHECKPOINT_DISABLE=1
packer=$cache/bin/packer

say() {
  printf '\n=== %s\n' "$*"
}

# lap sets took to the seconds since the last call.
lap() {
  took=$((SECONDS - mark)) mark=$SECONDS
}

# tools builds and installs what the build runs.
tools() {
  make --no-print-directory release "$cache/bin/packer"
  "$packer" plugins install --path "$cache/bin/packer-plugin-maas" github.com/packer-maas/maas
}

# region starts a stand-in for a MAAS region, which gets the image, and says
# where it is. It ends with this script.
region() {
  go build -o "$cache/bin/regiond" ./internal/regiond
  mkfifo "$demo/region.first"
  "$cache/bin/regiond" -dir "$demo" >"$demo/region.first" 2>"$demo/region.log" &
  regiond=$!
  trap 'kill $regiond 2>/dev/null || true' EXIT
  read -r first <"$demo/region.first"
  rm "$demo/region.first"
  MAAS_URL=${first#*'"url":"'} MAAS_URL=${MAAS_URL%%'"'*}
  MAAS_API_KEY=${first#*'"api_key":"'} MAAS_API_KEY=${MAAS_API_KEY%%'"'*}
  export MAAS_URL MAAS_API_KEY
}

# build runs Packer; its output, with times, goes to build.log too.
build() {
  "$packer" init example/demo
  "$packer" build -color=false -force -timestamp-ui \
    -var disk="$disk" -var output="$image" -var build_folder="$demo/build" \
    example/demo | tee "$demo/build.log"
}

# packed prints the seconds from the start of the post-processor to the end.
packed() {
  awk '/Running post-processor/ { start = $1 } $1 ~ /^[0-9-]+T[0-9:]+Z:$/ { end = $1 }
       END { sub(/:$/, "", start); sub(/:$/, "", end); print start, end }' "$demo/build.log" |
    while read -r start end; do
      echo $(($(date -d "$end" +%s) - $(date -d "$start" +%s)))
    done
}

mark=$SECONDS
mkdir -p "$demo" "$cache/disks"

say "Packer, and this plugin"
tools
lap
tools_time=$took

say "A Debian 12 disk from Debian's packages"
if [ -f "$disk" ] && [ "$disk" -nt scripts/debian-disk.sh ]; then
  echo "is there already: $disk"
else
  scripts/debian-disk.sh "$disk"
fi
lap
disk_time=$took

say "packer build example/demo"
region
build
lap
build_time=$took
pack_time=$(packed)

say "What a person sees in MAAS (a stand-in for a region, at $MAAS_URL)"
curl -sS "${MAAS_URL%/MAAS}/"

say "What is in $image"
scripts/demo-report.sh "$image"
lap
cat <<EOF

It took, in seconds:
  $tools_time	Packer and the plugin
  $disk_time	the Debian disk
  $((build_time - pack_time))	boot, provision and shut down
  $pack_time	maas-image
  $took	this look at the result
EOF
