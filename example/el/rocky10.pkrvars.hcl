# Rocky Linux 10.
name         = "rocky10"
release      = 10
title        = "Rocky Linux 10 Custom"
maas_name    = "rocky10"
base_image   = "rhel/10"
maas_minimum = "3.3"
hooks        = true

iso_url = {
  amd64 = "https://download.rockylinux.org/pub/rocky/10/isos/x86_64/Rocky-10-latest-x86_64-boot.iso"
  arm64 = "https://download.rockylinux.org/pub/rocky/10/isos/aarch64/Rocky-10-latest-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://download.rockylinux.org/pub/rocky/10/isos/x86_64/CHECKSUM"
  arm64 = "file:https://download.rockylinux.org/pub/rocky/10/isos/aarch64/CHECKSUM"
}

mirror = "https://download.rockylinux.org/pub/rocky"
repositories = {
  base      = "https://download.rockylinux.org/pub/rocky/10/BaseOS/$basearch/os"
  AppStream = "https://download.rockylinux.org/pub/rocky/10/AppStream/$basearch/os"
}
