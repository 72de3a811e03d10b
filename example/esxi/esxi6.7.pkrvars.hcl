# VMware ESXi 6.7, which goes with MAAS's storage layout vmfs6.
name            = "esxi6.7"
title           = "VMware ESXi 6.7"
maas_name       = "esxi/6.7"
memory          = 6144
disk_size       = "10G"
install_options = "--firstdisk --overwritevmfs --novmfsondisk"
boot_options    = "cpuUniformityHardCheckPanic=FALSE"
