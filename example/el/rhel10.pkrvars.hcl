# Red Hat Enterprise Linux 10, from the binary DVD.
name         = "rhel10"
release      = 10
title        = "RHEL 10 Custom"
maas_name    = "rhel/10-custom"
maas_minimum = "3.3"

# Most versions of curtin do not start release 10 from a BIOS.
hooks = true
