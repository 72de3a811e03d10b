# Oracle Linux 10. Its own kernel can be had with packages = ["kernel-uek"], as a second one
# beside the kernel that curtin asks for.
name         = "ol10"
release      = 10
title        = "Oracle Linux {{ .VersionID }}"
maas_name    = "ol/{{ .VersionID }}"
maas_minimum = "3.5"
hooks        = true

iso_url = {
  amd64 = "https://yum.oracle.com/ISOS/OracleLinux/OL10/u0/x86_64/OracleLinux-R10-U0-x86_64-boot.iso"
  arm64 = "https://yum.oracle.com/ISOS/OracleLinux/OL10/u0/aarch64/OracleLinux-R10-U0-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://linux.oracle.com/security/gpg/checksum/OracleLinux-R10-U0-Server-x86_64.checksum"
  arm64 = "file:https://linux.oracle.com/security/gpg/checksum/OracleLinux-R10-U0-Server-aarch64.checksum"
}

mirror = "https://yum.oracle.com/repo"
repositories = {
  base      = "https://yum.oracle.com/repo/OracleLinux/OL10/baseos/latest/$basearch"
  AppStream = "https://yum.oracle.com/repo/OracleLinux/OL10/appstream/$basearch"
}
