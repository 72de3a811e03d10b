# CentOS Stream 9.
name         = "centos9-stream"
release      = 9
title        = "CentOS Stream 9 Custom"
maas_name    = "centos9-stream"
base_image   = "rhel/9"
maas_minimum = "3.3"

iso_url = {
  amd64 = "https://mirror.stream.centos.org/9-stream/BaseOS/x86_64/iso/CentOS-Stream-9-latest-x86_64-boot.iso"
  arm64 = "https://mirror.stream.centos.org/9-stream/BaseOS/aarch64/iso/CentOS-Stream-9-latest-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://mirror.stream.centos.org/9-stream/BaseOS/x86_64/iso/CentOS-Stream-9-latest-x86_64-boot.iso.SHA256SUM"
  arm64 = "file:https://mirror.stream.centos.org/9-stream/BaseOS/aarch64/iso/CentOS-Stream-9-latest-aarch64-boot.iso.SHA256SUM"
}

mirror = "https://mirror.stream.centos.org"
repositories = {
  base      = "https://mirror.stream.centos.org/9-stream/BaseOS/$basearch/os"
  AppStream = "https://mirror.stream.centos.org/9-stream/AppStream/$basearch/os"
}
