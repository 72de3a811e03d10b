#!/usr/bin/env bash
# Makes a bootable disk with Debian 12 on it from Debian's packages, as an
# ordinary user: no root, no loop device, no kernel mount of the image.
#
#   scripts/debian-disk.sh [-a ARCH] [-s SIZE] [-p PACKAGES] [-x SCRIPT] OUT.qcow2
#
#   -a ARCH      amd64 or arm64; the default is this machine's
#   -s SIZE      virtual size of the disk, as truncate(1) takes it (8G)
#   -p PACKAGES  more packages, separated by commas
#   -x SCRIPT    run with bash in the finished tree, as its root, before the
#                tree is written to the disk
#
# The disk has a GPT, boots with BIOS (amd64) and with UEFI (Secure Boot too),
# and is a cloud image: cloud-init finds its data source at the first boot.
#
#   DEBIAN_MIRROR  where the packages come from; otherwise the Debian mirror in
#                  this machine's own apt sources, otherwise deb.debian.org
#
# Everything that needs to be root happens in a user namespace that mmdebstrap
# opens, on a tmpfs of its own, so nothing is left behind however it ends.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"

suite=bookworm
packages=systemd-sysv,systemd-resolved,dbus,udev,e2fsprogs,zstd
packages+=,cloud-init,netplan.io,iproute2,openssh-server,sudo,ca-certificates
packages+=,grub2-common,shim-signed,efibootmgr
packages+=,lsb-release,acl,libcap2-bin,iputils-ping

# Where the partitions lie, in sectors of 512 bytes.
bios_start=2048 esp_start=4096 esp_sectors=131072 root_start=135168
gpt_tail=2048

# Fixed, so that the same packages make the same disk.
root_uuid=6f1b2d3c-9a50-4c6e-8f0d-64656269616e
esp_id=DEB1A012

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# mirror prints the Debian mirror that this machine's apt uses, or nothing.
mirror() {
  # shellcheck disable=SC2016 # the $( ) are apt's, not the shell's
  apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' \
    'Created-By: Packages' 2>/dev/null |
    awk '$1 == "Debian" && $2 == "Debian" && !seen++ { print $3 }'
}

# bootstrap writes the installed packages to stdout as a tar.
bootstrap() {
  local mode=unshare source proxy=
  [ "$(id -u)" != 0 ] || mode=root
  source=${DEBIAN_MIRROR:-$(mirror)}
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  mmdebstrap --mode="$mode" --architectures="$arch" --variant=apt --format=tar --include="$packages" \
    --aptopt="Acquire::http::Proxy \"$proxy\";" --skip=output/dev "$suite" - "${source:-http://deb.debian.org/debian}"
}

# partition writes the partition table of the disk $1.
partition() {
  sfdisk --quiet "$1" <<-EOF
	label: gpt
	$([ "$arch" != amd64 ] || echo "start=$bios_start, size=2048, name=bios, type=21686148-6449-6E6F-744E-656564454649")
	start=$esp_start, size=$esp_sectors, name=efi, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
	start=$root_start, name=root, type=$root_type
	EOF
}

# The functions below run in the user namespace. They reach the disk through
# file descriptor 3 alone: the namespace's root is somebody else outside, who
# may not be allowed into the folder that the disk is in.

# fill puts the tree that comes as a tar on stdin onto the disk.
fill() {
  mount -t tmpfs -o mode=755,size=90% tree /mnt
  mkdir /mnt/tree
  cd /mnt/tree
  tar -x --numeric-owner --xattrs --xattrs-include='*'
  configure
  bash -euc "$extra"
  [ "$arch" != amd64 ] || write_bios
  write_esp
  # The journal and tables of a new file system need no zeroing.
  mke2fs -q -F -t ext4 -L root -U "$root_uuid" -d . \
    -E "offset=$((root_start * 512)),hash_seed=$root_uuid,nodiscard" \
    /dev/fd/3 "$(((disk_bytes / 512 - root_start - gpt_tail) / 2))k"
}

# configure makes the packages in the current folder a system that boots.
configure() {
  cat >etc/fstab <<-EOF
	UUID=$root_uuid / ext4 errors=remount-ro 0 1
	UUID=${esp_id:0:4}-${esp_id:4} /boot/efi vfat umask=0077 0 1
	EOF
  mkdir -p dev boot/efi boot/grub
  # For update-grub, whenever the system runs it.
  mkdir -p etc/default/grub.d
  cat >etc/default/grub.d/50-serial.cfg <<-EOF
	GRUB_CMDLINE_LINUX="console=tty0 console=$console"
	EOF
  # UEFI's own console is on the serial port.
  [ "$arch" != amd64 ] || cat >>etc/default/grub.d/50-serial.cfg <<-'EOF'
	GRUB_TERMINAL="console serial"
	GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
	EOF
  # /vmlinuz and /initrd.img are links that the kernel's package keeps.
  [ "$arch" != amd64 ] || cat >boot/grub/grub.cfg <<-EOF
	serial --unit=0 --speed=115200
	terminal_input console serial
	terminal_output console serial
	EOF
  cat >>boot/grub/grub.cfg <<-EOF
	set timeout=0
	search --no-floppy --fs-uuid --set=root $root_uuid
	menuentry "Debian GNU/Linux" {
	  linux /vmlinuz root=UUID=$root_uuid ro console=tty0 console=$console
	  initrd /initrd.img
	}
	EOF
  ln -sf ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf
  echo debian >etc/hostname
  printf '127.0.0.1 localhost\n127.0.1.1 debian\n::1 localhost\n' >etc/hosts
  # The one locale that needs no generating.
  echo 'locale: C.UTF-8' >etc/cloud/cloud.cfg.d/50_locale.cfg
}

# put writes stdin to the disk at byte $1.
put() {
  dd status=none of=/dev/fd/3 conv=notrunc bs=1 seek="$1"
}

# le64 prints $1 as eight bytes, the lowest first.
le64() {
  local shift
  for shift in 0 8 16 24 32 40 48 56; do
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\x$(printf %02x $(($1 >> shift & 255)))"
  done
}

# write_bios does what grub-install does for i386-pc: the first 440 bytes of
# boot.img go into the MBR and core.img into the BIOS boot partition. Each
# holds the sector where the next one starts: boot.img at 0x5c that of
# core.img, core.img's first sector at 0x1f4 that of its own second.
write_bios() {
  mkdir -p boot/grub/i386-pc
  cp usr/lib/grub/i386-pc/boot.img boot/grub/i386-pc/
  cat >boot/grub/i386-pc/load.cfg <<-EOF
	search.fs_uuid $root_uuid root
	set prefix=(\$root)/boot/grub
	EOF
  chroot . grub-mkimage --format=i386-pc --prefix=/boot/grub \
    --config=/boot/grub/i386-pc/load.cfg --output=/boot/grub/i386-pc/core.img \
    biosdisk part_gpt ext2 search_fs_uuid search normal configfile linux \
    serial terminal echo test all_video gzio
  head -c 440 boot/grub/i386-pc/boot.img | put 0
  le64 "$bios_start" | put $((0x5c))
  dd status=none if=boot/grub/i386-pc/core.img of=/dev/fd/3 conv=notrunc \
    bs=512 seek="$bios_start"
  le64 $((bios_start + 1)) | put $((bios_start * 512 + 0x1f4))
}

# write_esp makes the EFI system partition: Debian's signed shim and GRUB, in
# Debian's folder and in the one that firmware tries by itself.
write_esp() {
  local esp=/mnt/esp folder
  cat >tmp/grub.cfg <<-EOF
	search.fs_uuid $root_uuid root
	set prefix=(\$root)/boot/grub
	configfile \$prefix/grub.cfg
	EOF
  mkfs.vfat -C -F 32 -s 1 -h "$esp_start" -i "$esp_id" -n EFI "$esp" \
    "$((esp_sectors / 2))" >/dev/null
  mmd -i "$esp" ::/EFI ::/EFI/BOOT ::/EFI/debian
  for folder in BOOT debian; do
    mcopy -i "$esp" "usr/lib/grub/$machine-efi-signed/grub$efi.efi.signed" "::/EFI/$folder/grub$efi.efi"
    mcopy -i "$esp" "usr/lib/shim/mm$efi.efi.signed" "::/EFI/$folder/mm$efi.efi"
  done
  mcopy -i "$esp" "usr/lib/shim/shim$efi.efi.signed" "::/EFI/BOOT/BOOT${efi^^}.EFI"
  mcopy -i "$esp" "usr/lib/shim/shim$efi.efi.signed" "::/EFI/debian/shim$efi.efi"
  mcopy -i "$esp" tmp/grub.cfg ::/EFI/debian/grub.cfg
  rm tmp/grub.cfg
  dd status=none if="$esp" of=/dev/fd/3 conv=notrunc,sparse bs=512 seek="$esp_start"
}

# choose sets what differs between architectures.
choose() {
  packages+=,linux-image-$arch,grub-efi-$arch-signed
  case $arch in
    amd64)
      machine=x86_64 efi=x64 console=ttyS0,115200
      root_type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709
      packages+=,grub-pc-bin
      ;;
    arm64)
      machine=arm64 efi=aa64 console=ttyAMA0
      root_type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE
      ;;
    *) die "-a $arch is neither amd64 nor arm64" ;;
  esac
}

arch=$(dpkg --print-architecture) size=8G extra=:
while getopts a:s:p:x: option; do
  case $option in
    a) arch=$OPTARG ;;
    s) size=$OPTARG ;;
    p) packages+=,$OPTARG ;;
    x) extra=$(<"$OPTARG") ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || die "usage: ${0##*/} [-a ARCH] [-s SIZE] [-p PACKAGES] [-x SCRIPT] OUT.qcow2"
out=$1
choose
for tool in mmdebstrap sfdisk mke2fs mkfs.vfat mcopy qemu-img; do
  command -v "$tool" >/dev/null || die "$tool is missing: run 'make deps'"
done

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
disk=$work/disk.raw
truncate -s "$size" "$disk"
partition "$disk"
disk_bytes=$(stat -c %s "$disk")
chmod 666 "$disk" # the folder is ours alone; the namespace has only the descriptor

export arch machine efi console root_uuid esp_id bios_start esp_start esp_sectors root_start gpt_tail disk_bytes extra
bootstrap | mmdebstrap --unshare-helper bash -euo pipefail -c "
  $(declare -f fill configure put le64 write_bios write_esp)
  fill" 3<>"$disk"

qemu-img convert -O qcow2 "$disk" "$work/disk.qcow2"
mv "$work/disk.qcow2" "$out"
