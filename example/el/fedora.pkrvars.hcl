# Fedora 43 Server. Its releases are maintained for about a year: a newer one is these
# lines with another number.
name         = "fedora"
release      = 10
title        = "Fedora 43 Custom"
maas_name    = "fedora43"
base_image   = "rhel/9"
maas_minimum = "3.3"
user         = "fedora"
hooks        = true

iso_url = {
  amd64 = "https://dl.fedoraproject.org/pub/fedora/linux/releases/43/Everything/x86_64/iso/Fedora-Everything-netinst-x86_64-43-1.6.iso"
  arm64 = "https://dl.fedoraproject.org/pub/fedora/linux/releases/43/Everything/aarch64/iso/Fedora-Everything-netinst-aarch64-43-1.6.iso"
}
iso_checksum = {
  amd64 = "sha256:f4d06a40ce4fb4a84705e1a1f01ca1328f95a2120d422ba5f719af5df62d0099"
  arm64 = "file:https://dl.fedoraproject.org/pub/fedora/linux/releases/43/Everything/aarch64/iso/Fedora-Everything-43-1.6-aarch64-CHECKSUM"
}

mirror = "https://dl.fedoraproject.org/pub/fedora/linux"
repositories = {
  base    = "https://dl.fedoraproject.org/pub/fedora/linux/releases/43/Everything/$basearch/os"
  updates = "https://dl.fedoraproject.org/pub/fedora/linux/updates/43/Everything/$basearch"
}
