# AlmaLinux 10.
name         = "alma10"
release      = 10
title        = "AlmaLinux 10 Custom"
maas_name    = "alma10"
base_image   = "rhel/10"
maas_minimum = "3.3"
hooks        = true

iso_url = {
  amd64 = "https://repo.almalinux.org/almalinux/10/isos/x86_64/AlmaLinux-10-latest-x86_64-boot.iso"
  arm64 = "https://repo.almalinux.org/almalinux/10/isos/aarch64/AlmaLinux-10-latest-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://repo.almalinux.org/almalinux/10/isos/x86_64/CHECKSUM"
  arm64 = "file:https://repo.almalinux.org/almalinux/10/isos/aarch64/CHECKSUM"
}

mirror = "https://repo.almalinux.org/almalinux"
repositories = {
  base      = "https://repo.almalinux.org/almalinux/10/BaseOS/$basearch/os"
  AppStream = "https://repo.almalinux.org/almalinux/10/AppStream/$basearch/os"
}
