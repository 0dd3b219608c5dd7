# One service account for each role, with the least rights. Which secrets a role may read: modules/data/secrets.tf.

locals {
  roles    = toset(["api", "worker", "monitoring", "data"])
  accounts = { for role in local.roles : role => google_service_account.main[role].email }
}

resource "google_project_service" "main" {
  for_each = toset([
    "artifactregistry", "compute", "dns", "iam", "logging", "monitoring", "redis", "secretmanager",
    "servicenetworking", "sqladmin",
  ])
  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}

resource "google_service_account" "main" {
  for_each     = local.roles
  account_id   = "${var.name}-${each.key}"
  display_name = "${var.name}: ${each.key}"
  depends_on   = [google_project_service.main]
}

resource "google_project_iam_member" "logs" {
  for_each = local.roles
  project  = var.project
  role     = "roles/logging.logWriter"
  member   = "serviceAccount:${local.accounts[each.key]}"
}

resource "google_artifact_registry_repository_iam_member" "images" {
  for_each   = local.roles
  location   = var.region
  repository = var.repository
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${local.accounts[each.key]}"
}

resource "google_storage_bucket_iam_member" "weights" {
  count  = var.model_bucket == "" ? 0 : 1
  bucket = var.model_bucket
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${local.accounts[local.worker_role]}"
}

# Prometheus discovers the VMs and writes metrics.
resource "google_project_iam_custom_role" "discover" {
  role_id     = "${replace(var.name, "-", "_")}_discover"
  title       = "${var.name}: find machines"
  permissions = ["compute.instances.list"]
}

resource "google_project_iam_member" "discover" {
  project = var.project
  role    = google_project_iam_custom_role.discover.id
  member  = "serviceAccount:${local.accounts["monitoring"]}"
}

resource "google_project_iam_member" "figures" {
  project = var.project
  role    = "roles/monitoring.metricWriter"
  member  = "serviceAccount:${local.accounts["monitoring"]}"
}
