# Red Hat Enterprise Linux 8, from the binary DVD.
name         = "rhel8"
release      = 8
title        = "RHEL 8 Custom"
maas_name    = "rhel/8-custom"
maas_minimum = "2.3"
