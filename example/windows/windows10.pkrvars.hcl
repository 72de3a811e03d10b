# Windows 10, from Microsoft's ISO or VHDX.
name          = "windows10"
title         = "Windows 10"
maas_name     = "windows/windows-10"
product       = "Windows 10"
edition       = "PRO"
client        = true
virtio_folder = "w10"
