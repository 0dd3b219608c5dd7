# The module of deploy/gce. GKE and its load balancer allow ingress to nodes and pods by rules of their own.

module "network" {
  source = "../gce/modules/network"
  name   = var.name
  region = var.region
  range  = var.ranges.nodes

  secondary_ranges = {
    pods     = var.ranges.pods
    services = var.ranges.services
  }

  depends_on = [google_project_service.main]
}
