# openEuler 24.03, from the DVD.
name         = "openeuler"
release      = 9
title        = "openEuler Custom"
maas_name    = "openeuler"
base_image   = "rhel/9"
maas_minimum = "3.3"
user         = "openeuler"
hooks        = true

# Its packages have other names in places: shim is not called after the machine.
system_packages         = ["shim"]
ignore_missing_packages = true
