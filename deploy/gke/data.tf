# Cloud SQL, Memorystore and their secrets, from the module of deploy/gce.

module "data" {
  source    = "../gce/modules/data"
  name      = var.name
  region    = var.region
  kind      = "managed"
  settings  = var.data
  network   = module.network.vpc.network
  protected = var.protected
  accounts  = local.accounts
  labels    = local.labels

  # Cloud SQL and Memorystore need the peering with Google's services.
  depends_on = [module.network]
}
