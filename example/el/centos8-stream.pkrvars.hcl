# CentOS Stream 8, from the vault: the release is no longer maintained.
name         = "centos8-stream"
release      = 8
title        = "CentOS Stream 8 Custom"
maas_name    = "centos/8-stream-custom"
maas_minimum = "3.2"

iso_url = {
  amd64 = "https://vault.centos.org/8-stream/isos/x86_64/CentOS-Stream-8-x86_64-latest-boot.iso"
  arm64 = "https://vault.centos.org/8-stream/isos/aarch64/CentOS-Stream-8-aarch64-latest-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://vault.centos.org/8-stream/isos/x86_64/CHECKSUM"
  arm64 = "file:https://vault.centos.org/8-stream/isos/aarch64/CHECKSUM"
}

mirror = "https://vault.centos.org"
repositories = {
  base      = "https://vault.centos.org/8-stream/BaseOS/$basearch/os"
  AppStream = "https://vault.centos.org/8-stream/AppStream/$basearch/os"
  extras    = "https://vault.centos.org/8-stream/extras/$basearch/os"
}
