#!/usr/bin/env bash
# Installs the Debian and Ubuntu packages that building, testing and the demo
# need and that are missing here, and those that are named; with --build first,
# only what building needs. With nothing missing it does nothing, and needs no
# root.
set -euo pipefail

# The plugin: a C compiler for libnbd, and qemu-nbd, which it runs.
packages=(gcc libc6-dev make pkg-config dpkg-dev ca-certificates qemu-utils)
more=(
  # the demo: a disk from Debian's packages, and a machine to boot it
  mmdebstrap uidmap debian-archive-keyring fdisk gdisk e2fsprogs dosfstools mtools
  xorriso qemu-system-x86 ovmf swtpm qemu-system-arm qemu-efi-aarch64
  # tests and benchmarks: makers of disks, and other readers to compare with
  acl attr btrfs-progs busybox-static bzip2 cpio curl db-util fuse2fs grub-efi-amd64-signed gzip isolinux
  libarchive-tools libcap2-bin libhivex-bin libwin-hivex-perl lvm2 lz4 mdadm ntfs-3g openssh-client openssl pigz
  procps python3 python3-venv rpm shellcheck shim-signed sqlite3 syslinux-common time
  util-linux xfsprogs xz-utils zstd
)
if [ "${1-}" = --build ]; then
  shift
else
  packages+=("${more[@]}")
fi
packages+=("$@")

command -v go >/dev/null || {
  echo "deps: Go is missing: see https://go.dev/doc/install" >&2
  exit 1
}
command -v dpkg-query >/dev/null || {
  echo "deps: not a Debian or Ubuntu: install what is missing yourself: ${packages[*]}" >&2
  exit 0
}

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
    missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "deps: installing ${missing[*]}"
root=()
[ "$(id -u)" = 0 ] || root=(sudo)
"${root[@]}" apt-get update -q
"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -q -y --no-install-recommends "${missing[@]}"
