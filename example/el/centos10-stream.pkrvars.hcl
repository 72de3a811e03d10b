# CentOS Stream 10.
name         = "centos10-stream"
release      = 10
title        = "CentOS Stream 10 Custom"
maas_name    = "centos10-stream"
base_image   = "rhel/10"
maas_minimum = "3.3"

# Most versions of curtin do not start release 10 from a BIOS.
hooks = true

iso_url = {
  amd64 = "https://mirror.stream.centos.org/10-stream/BaseOS/x86_64/iso/CentOS-Stream-10-latest-x86_64-boot.iso"
  arm64 = "https://mirror.stream.centos.org/10-stream/BaseOS/aarch64/iso/CentOS-Stream-10-latest-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://mirror.stream.centos.org/10-stream/BaseOS/x86_64/iso/CentOS-Stream-10-latest-x86_64-boot.iso.SHA256SUM"
  arm64 = "file:https://mirror.stream.centos.org/10-stream/BaseOS/aarch64/iso/CentOS-Stream-10-latest-aarch64-boot.iso.SHA256SUM"
}

mirror = "https://mirror.stream.centos.org"
repositories = {
  base      = "https://mirror.stream.centos.org/10-stream/BaseOS/$basearch/os"
  AppStream = "https://mirror.stream.centos.org/10-stream/AppStream/$basearch/os"
}
