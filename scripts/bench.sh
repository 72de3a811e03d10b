#!/usr/bin/env bash
# Measures what packing a disk costs, beside other ways to the same tar.gz, all
# in one run on one machine.
#
#   scripts/bench.sh
#
#   BENCH_DISK    a qcow2 to pack; otherwise scripts/bench-disk.sh makes one
#   BENCH_QUICK=1 leave out the ways that take many minutes
#
# The same files are measured on ext4, as the disk has them, and on XFS.
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
  local at
  for at in "$mount" "$work/from"; do
    ! mountpoint -q "$at" || umount "$at"
  done
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

# ways measures the disk $1 in all ways that need no root but for cold caches.
ways() {
  local disk=$1
  warm "$disk"
  row "maas-image, level 6" "$work/out" "$work/bench" -level 6 "$disk" "$work/out"
  row "maas-image, level 6, not verified" "$work/out" "$work/bench" -no-verify "$disk" "$work/out"
  row "maas-image, level 1" "$work/out" "$work/bench" -level 1 "$disk" "$work/out"
  # row removes what it measured, and the next one needs it.
  row "maas-image, not compressed" "$work/out" \
    bash -c "'$work/bench' -no-compress -no-verify '$disk' '$work/out' && ln '$work/out' '$work/tar'"
  row "its compressor alone, on that tar" "$work/out" "$work/bench" -only-compress "$work/tar" "$work/out"
  rm -f "$work/tar"
  if [ $root = 1 ]; then
    cold
    row "maas-image, level 6, cold" "$work/out" "$work/bench" -level 6 "$disk" "$work/out"
  else
    echo "cold caches: need root"
  fi
}

# mounted measures the ways through the kernel's mount of the raw disk $1, with
# the options $2. The raw disk is made beforehand: the kernel cannot mount a qcow2.
mounted() {
  mount -o "$2" "$1" "$mount"
  warm "$1"
  row "kernel mount, tar | cat >/dev/null" "" bash -c "$(filtered cat /dev/null)"
  row "kernel mount, tar | gzip -6" "$work/out" bash -c "$(filtered 'gzip -6' "$work/out")"
  if [ "${BENCH_QUICK:-}" != 1 ]; then
    row "kernel mount, tar | pigz -9" "$work/out" bash -c "$(filtered 'pigz -9' "$work/out")"
  fi
  umount "$mount"
}

# copy_to_xfs puts the files of the raw disk $1, mounted with the options $2, on
# XFS on a bare raw disk $3 of the same size.
copy_to_xfs() {
  local from=$work/from
  truncate -s "$(stat -c %s "$1")" "$3"
  mkfs.xfs -q "$3"
  mkdir "$from"
  mount -o "$2" "$1" "$from"
  mount -o loop "$3" "$mount"
  cp -a --sparse=always "$from/." "$mount/"
  rm "$mount/etc/fstab" # which names volumes that are not here
  umount "$from" "$mount"
}

go build -buildvcs=false -o "$work/bench" ./internal/bench
echo "disk: $(qemu-img info "$disk" | sed -n 's/^\(virtual size\|disk size\): //p' | paste -s -d ';')"
heading
base=
ways "$disk"
ext4=$base
if [ $root = 0 ]; then
  echo "kernel mount, fuse2fs: need root"
  exit
fi
raw=$work/raw
qemu-img convert -O raw "$disk" "$raw"
offset=$(($(sfdisk -d "$raw" | sed -n 's/.*start= *\([0-9]*\),.*name="root".*/\1/p') * 512))

options="ro,noload,loop,offset=$offset"
mounted "$raw" "$options"
if [ "${BENCH_QUICK:-}" = 1 ]; then
  echo "pigz -9, fuse2fs: left out (BENCH_QUICK=1)"
elif [ ! -w /dev/fuse ]; then
  echo "fuse2fs: needs /dev/fuse"
else
  row "fuse2fs, tar, then pigz -9" "$work/out" bash -c "$(fuse2fs_way)"
fi

printf '\nThe same files on XFS:\n'
heading
copy_to_xfs "$raw" "$options" "$work/xfs"
rm "$raw"
qemu-img convert -O qcow2 "$work/xfs" "$work/xfs.qcow2"
warm "$work/xfs.qcow2"
base=$ext4
row "maas-image, level 6, ratios to ext4" "$work/out" "$work/bench" -level 6 "$work/xfs.qcow2" "$work/out"
base=
ways "$work/xfs.qcow2"
mounted "$work/xfs" ro,loop
