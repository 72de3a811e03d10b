#!/usr/bin/env bash
# Makes the disk that `make bench` measures with, as an ordinary user: Debian 12
# with the packages of a well-used server, over 2.2 GB and 100,000 entries, an
# SELinux label on every file and a folder of 50,000, on 45 GB of qcow2.
#
#   scripts/bench-disk.sh OUT.qcow2
#
# The SELinux labels can be set because debian-disk.sh unpacks the tree onto a
# tmpfs that belongs to its user namespace. That takes 4 GB of memory.
set -euo pipefail

packages=build-essential,git,golang-go,gdb,python3-numpy,python3-doc
packages+=,linux-headers-amd64,clang,postgresql,nginx,podman,vim,emacs-nox
packages+=,default-jdk-headless,nodejs,perl-doc,texlive-latex-base,locales-all

# label gives the path $1 and all below it the SELinux type $2, with the NUL
# that the kernel stores too.
label() {
  local value
  value=$(printf 'system_u:object_r:%s:s0\0' "$2" | od -An -v -tx1 | tr -d ' \n')
  find "$1" -print0 | xargs -0 setfattr -h -n security.selinux -v "0x$value"
}

# dress runs in the finished tree.
dress() {
  mkdir opt/many
  (cd opt/many && seq -f '%05.0f' 50000 | xargs touch)
  label . root_t
  label usr usr_t
  label usr/lib lib_t
  label etc etc_t
  label var var_t
}

script=$(mktemp)
trap 'rm -f "$script"' EXIT
{
  declare -f label dress
  echo dress
} >"$script"
"$(dirname "$0")/debian-disk.sh" -s 45G -p "$packages" -x "$script" "$1"
