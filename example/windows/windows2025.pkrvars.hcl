# Windows Server 2025, from Microsoft's ISO or VHDX.
name          = "windows2025"
title         = "Windows Server 2025"
maas_name     = "windows/windows-server-2025"
product       = "Windows Server 2025"
edition       = "SERVERSTANDARD"
virtio_folder = "2k25"
