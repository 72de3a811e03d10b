# VMware ESXi 7, which goes with MAAS's storage layout vmfs7.
name            = "esxi7"
title           = "VMware ESXi 7"
maas_name       = "esxi/7"
memory          = 8192
disk_size       = "32G"
install_options = "--firstdisk --overwritevmfs --novmfsondisk --forceunsupportedinstall"
boot_options    = "systemMediaSize=min allowLegacyCPU=TRUE cpuUniformityHardCheckPanic=FALSE"
