# Secrets in Secret Manager. Terraform handles them as ephemeral and write-only values, so that neither plan nor state
# contains one. The exception is Memorystore's AUTH string, an attribute of its resource: keep the state private.

locals {
  # The roles that may read each secret. With topology together the workers run with the api's service account.
  readers = {
    database-password = ["data"]
    redis-password    = ["data"]
    database-url      = ["api", "worker"]
    redis-url         = ["api", "worker", "monitoring"]
    secret-keys       = ["api"]
    flower-login      = ["monitoring"]
  }
  grants = merge([
    for secret, roles in local.readers : {
      for role in roles : "${secret}/${role}" => { secret = secret, role = role }
    }
  ]...)
}

resource "google_secret_manager_secret" "main" {
  for_each  = local.readers
  secret_id = "${var.name}-${each.key}"
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_iam_member" "readers" {
  for_each  = local.grants
  secret_id = google_secret_manager_secret.main[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${var.accounts[each.value.role]}"
}

# Letters and digits only, because passwords become part of URLs.
ephemeral "random_password" "database" {
  length  = 40
  special = false
}

ephemeral "random_password" "redis" {
  length  = 40
  special = false
}

ephemeral "random_password" "sealing" {
  length  = 32
  special = false
}

ephemeral "random_password" "flower" {
  length  = 24
  special = false
}

resource "google_secret_manager_secret_version" "database_password" {
  secret                 = google_secret_manager_secret.main["database-password"].id
  secret_data_wo         = ephemeral.random_password.database.result
  secret_data_wo_version = var.settings.password_version
}

resource "google_secret_manager_secret_version" "redis_password" {
  secret                 = google_secret_manager_secret.main["redis-password"].id
  secret_data_wo         = ephemeral.random_password.redis.result
  secret_data_wo_version = var.settings.password_version
}

# Read back, so that the server and the URLs get the stored password also after a partly failed apply.
ephemeral "google_secret_manager_secret_version" "database_password" {
  secret  = google_secret_manager_secret_version.database_password.secret
  version = google_secret_manager_secret_version.database_password.version
}

ephemeral "google_secret_manager_secret_version" "redis_password" {
  secret  = google_secret_manager_secret_version.redis_password.secret
  version = google_secret_manager_secret_version.redis_password.version
}

resource "google_secret_manager_secret_version" "database_url" {
  secret                 = google_secret_manager_secret.main["database-url"].id
  secret_data_wo         = "postgresql://til:${ephemeral.google_secret_manager_secret_version.database_password.secret_data}@${local.postgres}"
  secret_data_wo_version = var.settings.password_version
}

resource "google_secret_manager_secret_version" "redis_url" {
  secret                 = google_secret_manager_secret.main["redis-url"].id
  secret_data_wo         = local.redis_url
  secret_data_wo_version = var.settings.password_version
}

# The first key that encrypts webhook secrets (a Fernet key: 32 bytes in base64). It never changes; operators add more
# keys by hand (docs/operate.md).
resource "google_secret_manager_secret_version" "secret_keys" {
  secret                 = google_secret_manager_secret.main["secret-keys"].id
  secret_data_wo         = base64encode(ephemeral.random_password.sealing.result)
  secret_data_wo_version = 1
}

resource "google_secret_manager_secret_version" "flower_login" {
  secret                 = google_secret_manager_secret.main["flower-login"].id
  secret_data_wo         = "operator:${ephemeral.random_password.flower.result}"
  secret_data_wo_version = 1
}
