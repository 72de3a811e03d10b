#!/usr/bin/env bash
# Measures what packing a disk costs, beside other ways to the same tar.gz, all
# in one run on one machine.
#
#   scripts/bench.sh
#
#   BENCH_DISK    a qcow2 to pack; otherwise scripts/bench-disk.sh makes one
#   BENCH_QUICK=1 leave out the ways that take many minutes
#
# CPU time is that of all processes of a way, as the kernel adds it up for the
# parent; memory is that of the largest process. Root is needed for the rows
# with a kernel mount, for fuse2fs and for cold caches.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"

disk=${BENCH_DISK:-$PWD/.cache/disks/bench.qcow2}
[ -f "$disk" ] || scripts/bench-disk.sh "$disk"
mkdir -p .cache/bench
work=$(mktemp -d "$PWD/.cache/bench/XXXXXX")
mount=$work/mount
trap 'finish' EXIT
finish() {
  mountpoint -q "$mount" && umount "$mount"
  rm -rf "$work"
}
mkdir "$mount"
# shellcheck source=scripts/bench-row.sh
. scripts/bench-row.sh

root=0
[ "$(id -u)" != 0 ] || root=1

# All that curtin can restore, and nothing that it cannot.
tar=(tar --xattrs "--xattrs-include=*" --acls --selinux --numeric-owner -S
  --format=pax -cf - -C "$mount" .)

# cold drops what the kernel keeps of files, if we may.
cold() {
  sync
  echo 3 >/proc/sys/vm/drop_caches
}

# filtered prints a command line that sends tar through $1 into the file $2.
filtered() {
  echo "set -o pipefail; ${tar[*]@Q} | $1 >'$2'"
}

# What fuse2fs does is counted too: it is the shell's child, and waited for.
fuse2fs_way() {
  cat <<-EOF
	set -e
	fuse2fs -f -o ro,offset=$offset '$raw' '$mount' & fuse=\$!
	until mountpoint -q '$mount'; do sleep 0.1; kill -0 \$fuse; done
	${tar[*]@Q} >'$work/out.tar'
	umount '$mount'
	wait \$fuse
	pigz -9 <'$work/out.tar' >'$work/out'
	rm '$work/out.tar'
	EOF
}

go build -buildvcs=false -o "$work/bench" ./internal/bench
echo "disk: $(qemu-img info "$disk" | sed -n 's/^\(virtual size\|disk size\): //p' | paste -s -d ';')"
heading
base=
warm "$disk"
row "maas-image, level 6" "$work/out" "$work/bench" -level 6 "$disk" "$work/out"
row "maas-image, level 6, not verified" "$work/out" "$work/bench" -no-verify "$disk" "$work/out"
row "maas-image, level 1" "$work/out" "$work/bench" -level 1 "$disk" "$work/out"
row "maas-image, not compressed" "$work/tar" "$work/bench" -no-compress -no-verify "$disk" "$work/tar"
row "its compressor alone, on that tar" "$work/out" "$work/bench" -only-compress "$work/tar" "$work/out"
rm "$work/tar"
if [ $root = 1 ]; then
  cold
  row "maas-image, level 6, cold" "$work/out" "$work/bench" -level 6 "$disk" "$work/out"
else
  echo "cold caches: need root"
fi

if [ $root = 0 ]; then
  echo "kernel mount, fuse2fs: need root"
  exit
fi
raw=$work/raw
qemu-img convert -O raw "$disk" "$raw"
offset=$(($(sfdisk -d "$raw" | sed -n 's/.*start= *\([0-9]*\),.*name="root".*/\1/p') * 512))

# The raw disk is made beforehand: the kernel cannot mount a qcow2.
mount -o "ro,noload,loop,offset=$offset" "$raw" "$mount"
warm "$raw"
row "kernel mount, tar | cat >/dev/null" "" bash -c "$(filtered cat /dev/null)"
row "kernel mount, tar | gzip -6" "$work/out" bash -c "$(filtered 'gzip -6' "$work/out")"
if [ "${BENCH_QUICK:-}" != 1 ]; then
  row "kernel mount, tar | pigz -9" "$work/out" bash -c "$(filtered 'pigz -9' "$work/out")"
fi
umount "$mount"
if [ "${BENCH_QUICK:-}" = 1 ]; then
  echo "pigz -9, fuse2fs: left out (BENCH_QUICK=1)"
elif [ ! -w /dev/fuse ]; then
  echo "fuse2fs: needs /dev/fuse"
else
  row "fuse2fs, tar, then pigz -9" "$work/out" bash -c "$(fuse2fs_way)"
fi
