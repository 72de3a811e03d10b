# Windows Server 2019, from Microsoft's ISO or VHDX.
name          = "windows2019"
title         = "Windows Server 2019"
maas_name     = "windows/windows-server-2019"
product       = "Windows Server 2019"
edition       = "SERVERSTANDARD"
virtio_folder = "2k19"
