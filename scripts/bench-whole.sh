#!/usr/bin/env bash
# Measures what packing a whole disk costs: a Windows-like one beside Packer's own
# compress post-processor, and beside compressing nothing but what its files hold,
# and what its clusters in use do; then a disk of a terabyte beside one of 4 GB
# with the same files.
#
#   scripts/bench-whole.sh
#
#   BENCH_SCALE=N  percent of the sizes; 100 needs 32 GB for a while
#
# The first disk is 32 GB with 6 GB of files on NTFS, after another GB was
# deleted; the files on the second ones have 2 GB. It needs root, and /dev/fuse
# for ntfs-3g.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin" CHECKPOINT_DISABLE=1
scale=${BENCH_SCALE:-100}
packer=${PACKER:-$PWD/.cache/bin/packer}

if [ "$(id -u)" != 0 ] || [ ! -w /dev/fuse ]; then
  echo "whole disks: need root, and /dev/fuse"
  exit
fi
mkdir -p .cache/bench
work=$(mktemp -d "$PWD/.cache/bench/XXXXXX")
mount=$work/mount
trap 'finish' EXIT
finish() {
  # When interrupted, what is being copied may keep it busy for a moment.
  ! mountpoint -q "$mount" || umount "$mount" 2>/dev/null || umount -l "$mount"
  rm -rf --one-file-system "$work"
}
mkdir "$mount"
# shellcheck source=scripts/bench-row.sh
. scripts/bench-row.sh

# megabytes is $1 of them at this scale.
megabytes() {
  echo $(($1 * scale / 100))
}

# fill copies what is installed here into the folder $1 until that has $2 MB, a
# tenth of it compressed already, in folders of some hundred MB.
fill() {
  local to=$1 most=$2 have=0 n=0 from size before
  while [ "$have" -lt "$most" ]; do
    before=$n
    for from in /usr/lib/* /usr/share/* /usr/local/* /usr/bin; do
      size=$(du -smx "$from" | cut -f1)
      if [ "$size" -lt 5 ] || [ "$size" -gt 400 ] || [ $((have + size)) -gt "$((most + 20))" ]; then
        continue
      fi
      n=$((n + 1))
      mkdir -p "$to/$n"
      # NTFS does not take every name, and has no use for owners.
      find "$from" -xdev -type f -size -64M ! -name '*[<>:"\\|?*]*' -print0 |
        xargs -0 -r -n 200 cp -f --no-preserve=all --parents -t "$to/$n" 2>/dev/null || true
      head -c "$((size / 10 + 1))M" /dev/urandom >"$to/$n/compressed.cab"
      have=$((have + size + size / 10 + 1))
      [ "$have" -lt "$most" ] || break
    done
    # Some files were left out.
    have=$(du -smx "$to" | cut -f1)
    [ "$n" -gt "$before" ] || {
      echo "bench: nothing more here that is small enough to copy" >&2
      return 1
    }
  done
}

# partitioned makes the raw disk $1 of $2 MB with an EFI system partition and a
# second one, and prints where that is: its offset and size in MB.
partitioned() {
  truncate -s "$2M" "$1"
  sgdisk -n 1:1M:+64M -t 1:ef00 -n "2:65M:+$(($2 - 66))M" -t 2:0700 "$1" >/dev/null
  truncate -s 64M "$work/esp"
  mkfs.vfat -F 32 "$work/esp" >/dev/null
  dd if="$work/esp" of="$1" bs=1M seek=1 conv=notrunc,sparse status=none
  rm "$work/esp"
  echo "65 $(($2 - 66))"
}

# windows makes the raw disk $1, of all that its files hold the file $2, and of
# its clusters in use, those of the file system itself among them, the file $3.
windows() {
  local at size kept
  read -r at size < <(partitioned "$1" "$(megabytes 32768)")
  truncate -s "${size}M" "$work/ntfs"
  mkntfs -q -F -Q -s 512 -p $((at * 2048)) -H 255 -S 63 "$work/ntfs" 2>/dev/null
  ntfs-3g "$work/ntfs" "$mount"
  # What is deleted lies between what is kept.
  kept=$(megabytes 2000)
  for part in 1 2 3; do
    mkdir "$mount/kept$part" "$mount/gone$part"
    fill "$mount/kept$part" "$kept"
    fill "$mount/gone$part" "$((kept / 6))"
  done
  rm -rf "$mount"/gone*
  find "$mount" -type f -exec cat {} + >"$2"
  umount "$mount"
  ntfsclone -q --save-image --overwrite "$3" "$work/ntfs" >/dev/null
  dd if="$work/ntfs" of="$1" bs=1M seek="$at" conv=notrunc,sparse status=none
  rm "$work/ntfs"
}

# linux makes the qcow2 $1 of a little over $2 MB with the files of the folder $3
# on ext4.
linux() {
  local at size
  read -r at size < <(partitioned "$work/linux" "$(($2 + 200))")
  mke2fs -q -t ext4 -d "$3" -E "offset=$((at << 20))" "$work/linux" "${size}M"
  qemu-img convert -O qcow2 "$work/linux" "$1"
  rm "$work/linux"
}

# compress_template has Packer's own post-processor compress the file $1 to $2.
compress_template() {
  cat <<-EOF
	source "null" "disk" {
	  communicator = "none"
	}
	build {
	  sources = ["source.null.disk"]
	  post-processors {
	    post-processor "artifice" {
	      files               = ["$1"]
	      keep_input_artifact = true
	    }
	    post-processor "compress" {
	      output              = "$2"
	      compression_level   = 6
	      keep_input_artifact = true
	    }
	  }
	}
	EOF
}

go build -buildvcs=false -o "$work/bench" ./internal/bench
pack=("$work/bench" -level 6 -filetype ddgz)
out=$work/out.gz

windows "$work/windows.raw" "$work/files" "$work/clusters"
compress_template "$work/windows.raw" "$out" >"$work/compress.pkr.hcl"
echo "disk: $(qemu-img info "$work/windows.raw" | sed -n 's/^\(virtual size\|disk size\): //p' | paste -s -d ';')," \
  "$(du -m --apparent-size "$work/files" | cut -f1) MB in files," \
  "$(du -m --apparent-size "$work/clusters" | cut -f1) MB in clusters"
heading
base=
for part in files clusters; do
  warm "$work/$part"
  row "what $part hold, only compressed" "$out" "$work/bench" -level 6 -only-compress "$work/$part" "$out"
  rm "$work/$part"
done
warm "$work/windows.raw"
row "ddgz, level 6, not verified" "$out" "${pack[@]}" -no-verify "$work/windows.raw" "$out"
row "ddgz, level 6" "$out" "${pack[@]}" "$work/windows.raw" "$out"
row "ddgz, free space as it is, not verified" "$out" "${pack[@]}" -no-verify -keep-free-space "$work/windows.raw" "$out"
row "Packer's compress, level 6" "$out" "$packer" build "$work/compress.pkr.hcl"
rm "$work/windows.raw"

mkdir "$work/files"
fill "$work/files" "$(megabytes 2000)"
linux "$work/small.qcow2" "$(megabytes 4096)" "$work/files"
linux "$work/large.qcow2" "$(megabytes 1048576)" "$work/files"
rm -rf "$work/files"
printf '\nthe same files on %s and on %s GB\n' "$(($(megabytes 4096) / 1024))" "$(($(megabytes 1048576) / 1024))"
base=
for disk in small large; do
  warm "$work/$disk.qcow2"
  row "ddgz, level 6, $disk disk" "$out" "${pack[@]}" "$work/$disk.qcow2" "$out"
done
