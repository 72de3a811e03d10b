# AlmaLinux 9.
name         = "alma9"
release      = 9
title        = "AlmaLinux 9 Custom"
maas_name    = "alma9"
base_image   = "rhel/9"
maas_minimum = "3.3"
hooks        = true

iso_url = {
  amd64 = "https://repo.almalinux.org/almalinux/9/isos/x86_64/AlmaLinux-9-latest-x86_64-boot.iso"
  arm64 = "https://repo.almalinux.org/almalinux/9/isos/aarch64/AlmaLinux-9-latest-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://repo.almalinux.org/almalinux/9/isos/x86_64/CHECKSUM"
  arm64 = "file:https://repo.almalinux.org/almalinux/9/isos/aarch64/CHECKSUM"
}

mirror = "https://repo.almalinux.org/almalinux"
repositories = {
  base      = "https://repo.almalinux.org/almalinux/9/BaseOS/$basearch/os"
  AppStream = "https://repo.almalinux.org/almalinux/9/AppStream/$basearch/os"
}
