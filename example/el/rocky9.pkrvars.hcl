# Rocky Linux 9.
name         = "rocky9"
release      = 9
title        = "Rocky Linux 9 Custom"
maas_name    = "rocky9"
base_image   = "rhel/9"
maas_minimum = "3.3"
hooks        = true

iso_url = {
  amd64 = "https://download.rockylinux.org/pub/rocky/9/isos/x86_64/Rocky-9-latest-x86_64-boot.iso"
  arm64 = "https://download.rockylinux.org/pub/rocky/9/isos/aarch64/Rocky-9-latest-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://download.rockylinux.org/pub/rocky/9/isos/x86_64/CHECKSUM"
  arm64 = "file:https://download.rockylinux.org/pub/rocky/9/isos/aarch64/CHECKSUM"
}

mirror = "https://download.rockylinux.org/pub/rocky"
repositories = {
  base      = "https://download.rockylinux.org/pub/rocky/9/BaseOS/$basearch/os"
  AppStream = "https://download.rockylinux.org/pub/rocky/9/AppStream/$basearch/os"
}
