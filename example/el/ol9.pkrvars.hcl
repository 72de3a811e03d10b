# Oracle Linux 9. Its own kernel can be had with packages = ["kernel-uek"], as a second one
# beside the kernel that curtin asks for.
name         = "ol9"
release      = 9
title        = "Oracle Linux {{ .VersionID }}"
maas_name    = "ol/{{ .VersionID }}"
maas_minimum = "3.5"
hooks        = true

iso_url = {
  amd64 = "https://yum.oracle.com/ISOS/OracleLinux/OL9/u6/x86_64/OracleLinux-R9-U6-x86_64-boot.iso"
  arm64 = "https://yum.oracle.com/ISOS/OracleLinux/OL9/u6/aarch64/OracleLinux-R9-U6-aarch64-boot.iso"
}
iso_checksum = {
  amd64 = "file:https://linux.oracle.com/security/gpg/checksum/OracleLinux-R9-U6-Server-x86_64.checksum"
  arm64 = "file:https://linux.oracle.com/security/gpg/checksum/OracleLinux-R9-U6-Server-aarch64.checksum"
}

mirror = "https://yum.oracle.com/repo"
repositories = {
  base      = "https://yum.oracle.com/repo/OracleLinux/OL9/baseos/latest/$basearch"
  AppStream = "https://yum.oracle.com/repo/OracleLinux/OL9/appstream/$basearch"
}
