# Windows Server 2016, from Microsoft's ISO or VHDX.
name          = "windows2016"
title         = "Windows Server 2016"
maas_name     = "windows/windows-server-2016"
product       = "Windows Server 2016"
edition       = "SERVERSTANDARD"
virtio_folder = "2k16"
