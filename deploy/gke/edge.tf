# What the chart's Ingress refers to by name, from the module of deploy/gce: address, security policy and TLS policy.
# The certificate is a ManagedCertificate of the chart; it becomes valid 15 to 60 minutes after the domain points to
# the address.

module "edge" {
  source              = "../gce/modules/edge"
  name                = var.name
  domain              = var.domain
  dns_zone            = var.dns_zone
  requests_per_minute = var.requests_per_minute
  depends_on          = [google_project_service.main]
}
