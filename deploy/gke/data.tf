# Cloud SQL, Memorystore and their secrets, from the module of deploy/gce.

module "data" {
  source           = "../gce/modules/data"
  name             = var.name
  region           = var.region
  kind             = "managed"
  network          = module.network.vpc.network
  redis_gb         = var.data.redis_gb
  redis_tier       = var.data.redis_tier
  protected        = var.protected
  password_version = var.data.password_version
  accounts         = local.accounts
  labels           = local.labels

  postgres = {
    version      = var.data.postgres_version
    tier         = var.data.postgres_tier
    disk_gb      = var.data.postgres_disk_gb
    availability = var.data.postgres_availability
    log_days     = var.data.log_days
    backups      = var.data.backups
  }

  # Unused with kind managed.
  machine = {
    type       = ""
    zone       = var.zones[0]
    subnetwork = module.network.vpc.subnetwork
    image      = ""
    user_data  = ""
  }

  # Cloud SQL and Memorystore need the peering with Google's services.
  depends_on = [module.network]
}
