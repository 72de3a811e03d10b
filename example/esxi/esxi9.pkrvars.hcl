# VMware ESXi 9, which goes with MAAS's storage layout vmfs7.
name            = "esxi9"
title           = "VMware ESXi 9"
maas_name       = "esxi/9"
memory          = 8192
disk_size       = "32G"
install_options = "--firstdisk --overwritevmfs --novmfsondisk --forceunsupportedinstall"
boot_options    = "systemMediaSize=min allowLegacyCPU=TRUE cpuUniformityHardCheckPanic=FALSE"
