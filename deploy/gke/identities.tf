# Nodes have a service account with few rights; pods have their own service accounts (Workload Identity).

locals {
  labels        = merge(var.labels, { til-cluster = var.name })
  workload_pool = "${var.project}.svc.id.goog"
  roles         = toset(["api", "worker", "monitoring", "data"])
  accounts      = { for role in local.roles : role => google_service_account.main[role].email }

  # The role of each process. No process has the role `data`; it is for operators (psql, pg_dump).
  processes = {
    api     = "api"
    steward = "api"
    migrate = "api"
    worker  = "worker"
    flower  = "monitoring"
  }
}

resource "google_project_service" "main" {
  for_each = toset([
    "artifactregistry", "autoscaling", "binaryauthorization", "compute", "container", "dns", "iam", "logging",
    "monitoring", "redis", "secretmanager", "servicenetworking", "sqladmin", "storage",
  ])
  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}

resource "google_service_account" "nodes" {
  account_id   = "${var.name}-nodes"
  display_name = "${var.name}: nodes"
  depends_on   = [google_project_service.main]
}

# To write logs and metrics.
resource "google_project_iam_member" "nodes" {
  project = var.project
  role    = "roles/container.defaultNodeServiceAccount"
  member  = "serviceAccount:${google_service_account.nodes.email}"
}

# Managed Prometheus evaluates its rules with the account of the node, and needs to read metrics for that.
resource "google_project_iam_member" "rules" {
  project = var.project
  role    = "roles/monitoring.viewer"
  member  = "serviceAccount:${google_service_account.nodes.email}"
}

resource "google_artifact_registry_repository_iam_member" "nodes" {
  location   = google_artifact_registry_repository.main.location
  repository = google_artifact_registry_repository.main.name
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${google_service_account.nodes.email}"
}

resource "google_service_account" "main" {
  for_each     = local.roles
  account_id   = "${var.name}-${each.key}"
  display_name = "${var.name}: ${each.key}"
  depends_on   = [google_project_service.main]
}

resource "google_service_account_iam_member" "processes" {
  for_each           = local.processes
  service_account_id = google_service_account.main[each.value].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${local.workload_pool}[${var.namespace}/${var.release}-${each.key}]"
  depends_on         = [google_container_cluster.main]
}

resource "google_storage_bucket_iam_member" "weights" {
  bucket = google_storage_bucket.weights.name
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${local.accounts["worker"]}"
}

# The autoscaler reads til_workers_desired from Managed Prometheus. The project's number comes from the bucket.
resource "google_project_iam_member" "scaler" {
  project = var.project
  role    = "roles/monitoring.viewer"
  member = join("", [
    "principal://iam.googleapis.com/projects/${google_storage_bucket.weights.project_number}/locations/global/",
    "workloadIdentityPools/${local.workload_pool}/subject/${var.scaler}",
  ])
  depends_on = [google_container_cluster.main]
}
