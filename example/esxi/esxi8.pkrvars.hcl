# VMware ESXi 8, which goes with MAAS's storage layout vmfs7.
name            = "esxi8"
title           = "VMware ESXi 8"
maas_name       = "esxi/8"
memory          = 8192
disk_size       = "32G"
install_options = "--firstdisk --overwritevmfs --novmfsondisk --forceunsupportedinstall"
boot_options    = "systemMediaSize=min allowLegacyCPU=TRUE cpuUniformityHardCheckPanic=FALSE"
