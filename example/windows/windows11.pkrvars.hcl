# Windows 11, from Microsoft's ISO or VHDX. Its Setup asks for a TPM and 64 GB.
name          = "windows11"
title         = "Windows 11"
maas_name     = "windows/windows-11"
product       = "Windows 11"
edition       = "PRO"
client        = true
tpm           = true
disk_size     = "64G"
virtio_folder = "w11"
