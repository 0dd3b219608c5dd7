# Node pool of the services, and an optional GPU node pool that needs no ComputeClass.

locals {
  scopes = ["https://www.googleapis.com/auth/cloud-platform"]

  # INSTALLATION_DISABLED: a DaemonSet installs the driver, e.g. Google's (README.md).
  drivers = {
    default   = "DEFAULT"
    latest    = "LATEST"
    daemonset = "INSTALLATION_DISABLED"
  }
}

resource "google_container_node_pool" "services" {
  name           = "services"
  cluster        = google_container_cluster.main.id
  node_locations = var.zones

  autoscaling {
    total_min_node_count = var.services_pool.min
    total_max_node_count = var.services_pool.max
    location_policy      = "BALANCED"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  node_config {
    machine_type    = var.services_pool.machine_type
    image_type      = "COS_CONTAINERD"
    service_account = google_service_account.nodes.email
    oauth_scopes    = local.scopes
    disk_type       = "pd-balanced"
    resource_labels = local.labels

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }
}

resource "google_container_node_pool" "gpu" {
  count          = var.gpu_pool.max > 0 ? 1 : 0
  name           = "gpu"
  cluster        = google_container_cluster.main.id
  node_locations = var.zones

  # Any zone with capacity, because GPUs are scarce.
  autoscaling {
    total_min_node_count = var.gpu_pool.min
    total_max_node_count = var.gpu_pool.max
    location_policy      = "ANY"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  # Delete the old node first, so that an upgrade needs no additional GPU.
  upgrade_settings {
    strategy        = "SURGE"
    max_surge       = 0
    max_unavailable = 1
  }

  node_config {
    machine_type    = var.gpu.machine_type
    image_type      = "COS_CONTAINERD"
    service_account = google_service_account.nodes.email
    oauth_scopes    = local.scopes
    disk_type       = "pd-balanced"
    disk_size_gb    = var.gpu.disk_gb
    spot            = var.gpu_pool.spot
    resource_labels = local.labels

    guest_accelerator {
      type  = var.gpu.type
      count = 1

      gpu_driver_installation_config {
        gpu_driver_version = local.drivers[var.gpu.driver]
      }
    }

    # Keeps pods off that do not request a GPU.
    taint {
      key    = "nvidia.com/gpu"
      value  = "present"
      effect = "NO_SCHEDULE"
    }

    # Image streaming: a container of the large vLLM image starts before all of it is pulled.
    gcfs_config {
      enabled = true
    }

    gvnic {
      enabled = true
    }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }
}
