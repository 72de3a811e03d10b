# Ends a build at its start if the region that MAAS_URL names is too old for the system,
# instead of failing the deployment. Without MAAS_URL it does nothing.
data "maas-version" "region" {
  minimum  = var.maas_minimum
  optional = true
}
