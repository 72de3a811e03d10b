# Rocky Linux 8.
name         = "rocky8"
release      = 8
title        = "Rocky Linux 8 Custom"
maas_name    = "rocky8"
base_image   = "rhel/8"
maas_minimum = "3.3"
hooks        = true

iso_url = {
  amd64 = "https://download.rockylinux.org/pub/rocky/8/isos/x86_64/Rocky-8-latest-x86_64-boot.iso"
  arm64 = "https://download.rockylinux.org/pub/rocky/8/isos/aarch64/Rocky-8-latest-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://download.rockylinux.org/pub/rocky/8/isos/x86_64/CHECKSUM"
  arm64 = "file:https://download.rockylinux.org/pub/rocky/8/isos/aarch64/CHECKSUM"
}

mirror = "https://download.rockylinux.org/pub/rocky"
repositories = {
  base      = "https://download.rockylinux.org/pub/rocky/8/BaseOS/$basearch/os"
  AppStream = "https://download.rockylinux.org/pub/rocky/8/AppStream/$basearch/os"
}
