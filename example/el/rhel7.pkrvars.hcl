# Red Hat Enterprise Linux 7, from the binary DVD.
name         = "rhel7"
release      = 7
title        = "RHEL 7 Custom"
maas_name    = "rhel/7-custom"
maas_minimum = "2.3"

# The add-ons on the DVD have packages for clustered storage.
repositories = {
  HighAvailability = "file:///run/install/repo/addons/HighAvailability"
  ResilientStorage = "file:///run/install/repo/addons/ResilientStorage"
}
