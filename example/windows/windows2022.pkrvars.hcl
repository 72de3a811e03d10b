# Windows Server 2022, from Microsoft's ISO or VHDX.
name          = "windows2022"
title         = "Windows Server 2022"
maas_name     = "windows/windows-server-2022"
product       = "Windows Server 2022"
edition       = "SERVERSTANDARD"
virtio_folder = "2k22"
