# Azure Local, which was Azure Stack HCI: one edition, and not to be generalized.
name          = "windowshci"
title         = "Azure Local"
maas_name     = "windows/azure-local"
product       = "Azure Stack HCI"
image_index   = "1"
generalize    = false
virtio_folder = "2k22"
