# Cloud SQL and Memorystore with their secrets: the module that the virtual machines use too.

module "data" {
  source           = "../gce/modules/data"
  name             = var.name
  region           = var.region
  kind             = "managed"
  network          = google_compute_network.main.id
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

  # Of the kind that is not used here.
  machine = {
    type       = ""
    zone       = var.zones[0]
    subnetwork = google_compute_subnetwork.main.id
    image      = ""
    user_data  = ""
  }

  # The peering with Google's services comes before Cloud SQL and Memorystore.
  depends_on = [google_service_networking_connection.services]
}
