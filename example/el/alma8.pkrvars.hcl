# AlmaLinux 8.
name         = "alma8"
release      = 8
title        = "AlmaLinux 8 Custom"
maas_name    = "alma8"
base_image   = "rhel/8"
maas_minimum = "3.3"
hooks        = true

iso_url = {
  amd64 = "https://repo.almalinux.org/almalinux/8/isos/x86_64/AlmaLinux-8-latest-x86_64-boot.iso"
  arm64 = "https://repo.almalinux.org/almalinux/8/isos/aarch64/AlmaLinux-8-latest-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://repo.almalinux.org/almalinux/8/isos/x86_64/CHECKSUM"
  arm64 = "file:https://repo.almalinux.org/almalinux/8/isos/aarch64/CHECKSUM"
}

mirror = "https://repo.almalinux.org/almalinux"
repositories = {
  base      = "https://repo.almalinux.org/almalinux/8/BaseOS/$basearch/os"
  AppStream = "https://repo.almalinux.org/almalinux/8/AppStream/$basearch/os"
}
