# Cloud SQL with point-in-time recovery, and Memorystore; both with private addresses and TLS.

locals {
  managed = var.kind == "managed" ? 1 : 0
}

resource "google_sql_database_instance" "main" {
  # checkov:skip=CKV_GCP_6:TLS is required; clients authenticate by password and have no client certificates
  count               = local.managed
  name                = var.name
  region              = var.region
  database_version    = var.settings.postgres_version
  deletion_protection = var.protected

  settings {
    tier                        = var.settings.postgres_tier
    edition                     = "ENTERPRISE"
    availability_type           = var.settings.postgres_availability
    disk_type                   = "PD_SSD"
    disk_size                   = var.settings.postgres_disk_gb
    disk_autoresize             = true
    deletion_protection_enabled = var.protected
    user_labels                 = var.labels

    ip_configuration {
      ipv4_enabled    = false
      private_network = var.network
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = var.settings.log_days
      start_time                     = "18:00"

      backup_retention_settings {
        retained_backups = var.settings.backups
      }
    }

    maintenance_window {
      day          = 7
      hour         = 18
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled = true
    }

    dynamic "database_flags" {
      for_each = local.flags

      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }
}

resource "google_sql_database" "main" {
  count    = local.managed
  name     = "til"
  instance = google_sql_database_instance.main[0].name
  charset  = "UTF8"
}

resource "google_sql_user" "main" {
  count               = local.managed
  name                = "til"
  instance            = google_sql_database_instance.main[0].name
  password_wo         = ephemeral.google_secret_manager_secret_version.database_password.secret_data
  password_wo_version = var.settings.password_version
}

resource "google_redis_instance" "main" {
  count                   = local.managed
  name                    = var.name
  region                  = var.region
  tier                    = var.settings.redis_tier
  memory_size_gb          = var.settings.redis_gb
  redis_version           = "REDIS_7_2"
  authorized_network      = var.network
  connect_mode            = "PRIVATE_SERVICE_ACCESS"
  auth_enabled            = true
  transit_encryption_mode = "SERVER_AUTHENTICATION"
  deletion_protection     = var.protected
  labels                  = var.labels

  # With an allkeys-* policy a full Redis would evict doorbells.
  redis_configs = {
    maxmemory-policy = "volatile-ttl"
  }
}
