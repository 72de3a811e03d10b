# CentOS Linux 7, from the vault: the release is no longer maintained.
name         = "centos7"
release      = 7
title        = "CentOS 7 Custom"
maas_name    = "centos/7-custom"
maas_minimum = "2.3"
user         = "centos"

iso_url      = { amd64 = "https://vault.centos.org/7.9.2009/isos/x86_64/CentOS-7-x86_64-NetInstall-2009.iso" }
iso_checksum = { amd64 = "file:https://vault.centos.org/7.9.2009/isos/x86_64/sha256sum.txt" }

mirror = "https://vault.centos.org"
repositories = {
  base    = "https://vault.centos.org/7.9.2009/os/$basearch"
  updates = "https://vault.centos.org/7.9.2009/updates/$basearch"
  extras  = "https://vault.centos.org/7.9.2009/extras/$basearch"
}
