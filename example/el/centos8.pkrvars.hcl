# CentOS Linux 8, from the vault: the release is no longer maintained.
name         = "centos8"
release      = 8
title        = "CentOS 8 Custom"
maas_name    = "centos/8-custom"
maas_minimum = "2.7"

iso_url = {
  amd64 = "https://vault.centos.org/8.5.2111/isos/x86_64/CentOS-8.5.2111-x86_64-boot.iso"
  arm64 = "https://vault.centos.org/8.5.2111/isos/aarch64/CentOS-8.5.2111-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://vault.centos.org/8.5.2111/isos/x86_64/CHECKSUM"
  arm64 = "file:https://vault.centos.org/8.5.2111/isos/aarch64/CHECKSUM"
}

mirror = "https://vault.centos.org"
repositories = {
  base      = "https://vault.centos.org/8.5.2111/BaseOS/$basearch/os"
  AppStream = "https://vault.centos.org/8.5.2111/AppStream/$basearch/os"
  extras    = "https://vault.centos.org/8.5.2111/extras/$basearch/os"
}
