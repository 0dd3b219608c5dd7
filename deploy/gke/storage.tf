# Images and weights.

resource "google_artifact_registry_repository" "main" {
  # checkov:skip=CKV_GCP_84:images contain no secrets and no data; Google's keys encrypt them
  repository_id = var.name
  location      = var.region
  format        = "DOCKER"
  description   = "til-queue-api and til-queue-worker"
  labels        = local.labels
  depends_on    = [google_project_service.main]

  docker_config {
    immutable_tags = true
  }

  cleanup_policies {
    id     = "keep-the-last"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-untagged"
    action = "DELETE"

    condition {
      tag_state  = "UNTAGGED"
      older_than = "2592000s"
    }
  }
}

# Upload weights by hand: `gcloud storage cp --recursive gemma-3-12b gs://...`. Workers have read access only.
resource "google_storage_bucket" "weights" {
  # checkov:skip=CKV_GCP_62:weights are public models, so access logs are not needed
  name                        = "${var.project}-${var.name}-weights"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.protected
  labels                      = local.labels
  depends_on                  = [google_project_service.main]

  versioning {
    enabled = true
  }

  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 30
    }

    action {
      type = "Delete"
    }
  }
}
