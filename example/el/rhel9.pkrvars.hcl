# Red Hat Enterprise Linux 9, from the binary DVD.
name         = "rhel9"
release      = 9
title        = "RHEL 9 Custom"
maas_name    = "rhel/9-custom"
maas_minimum = "3.3"
