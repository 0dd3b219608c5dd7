# A private regional cluster: nodes have no external addresses. Operators reach the control plane by its DNS name, with
# IAM, or from their networks by its private address.

resource "google_container_cluster" "main" {
  # checkov:skip=CKV_GCP_65:Google Groups for RBAC need a Workspace domain, which not every operator has; IAM is used here
  # checkov:skip=CKV_GCP_12:Dataplane V2 (ADVANCED_DATAPATH) enforces network policies by itself
  # checkov:skip=CKV_GCP_21:the labels are in local.labels, a merge that checkov does not evaluate
  name                        = var.name
  location                    = var.region
  node_locations              = var.zones
  network                     = module.network.vpc.network
  subnetwork                  = module.network.vpc.subnetwork
  networking_mode             = "VPC_NATIVE"
  datapath_provider           = "ADVANCED_DATAPATH"
  enable_intranode_visibility = true
  enable_shielded_nodes       = true
  deletion_protection         = var.protected
  resource_labels             = local.labels

  # Node pools: pools.tf.
  remove_default_node_pool = true
  initial_node_count       = 1

  node_config {
    service_account = google_service_account.nodes.email

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }

  release_channel {
    channel = var.release_channel
  }

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = true
    master_ipv4_cidr_block  = var.ranges.control_plane
  }

  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = true
    }
  }

  master_authorized_networks_config {
    dynamic "cidr_blocks" {
      for_each = var.operators

      content {
        display_name = cidr_blocks.key
        cidr_block   = cidr_blocks.value
      }
    }
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  workload_identity_config {
    workload_pool = local.workload_pool
  }

  # To mount secrets from Secret Manager. Weights are mounted from the bucket, or streamed.
  secret_manager_config {
    enabled = true
  }

  addons_config {
    gcs_fuse_csi_driver_config {
      enabled = true
    }

    http_load_balancing {
      disabled = false
    }

    horizontal_pod_autoscaling {
      disabled = false
    }

    dns_cache_config {
      enabled = true
    }
  }

  # Needed by GKE's adapter for HPAs on PromQL metrics.
  pod_autoscaling {
    hpa_profile = "PERFORMANCE"
  }

  # The chart's ComputeClass defines the nodes; these limits cap their number.
  cluster_autoscaling {
    enabled                     = true
    autoscaling_profile         = "OPTIMIZE_UTILIZATION"
    auto_provisioning_locations = var.zones

    resource_limits {
      resource_type = "cpu"
      maximum       = var.auto_provisioning.cpu
    }

    resource_limits {
      resource_type = "memory"
      maximum       = var.auto_provisioning.memory_gb
    }

    dynamic "resource_limits" {
      for_each = local.makes_nodes ? [var.auto_provisioning.gpus] : []

      content {
        resource_type = var.gpu.type
        maximum       = resource_limits.value
      }
    }

    auto_provisioning_defaults {
      service_account = google_service_account.nodes.email
      oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
      image_type      = "COS_CONTAINERD"
      disk_size       = var.gpu.disk_gb
      disk_type       = "pd-balanced"

      management {
        auto_repair  = true
        auto_upgrade = true
      }

      shielded_instance_config {
        enable_secure_boot          = true
        enable_integrity_monitoring = true
      }
    }
  }

  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS", "STORAGE", "POD", "DEPLOYMENT", "HPA", "DCGM"]

    managed_prometheus {
      enabled = true
    }
  }

  logging_config {
    enable_components = ["SYSTEM_COMPONENTS", "WORKLOADS"]
  }

  security_posture_config {
    mode = "BASIC"
  }

  binary_authorization {
    evaluation_mode = "PROJECT_SINGLETON_POLICY_ENFORCE"
  }

  # Node upgrades only in this window, because every drained worker has to load its model again.
  maintenance_policy {
    recurring_window {
      start_time = var.maintenance.start
      end_time   = var.maintenance.end
      recurrence = var.maintenance.recurrence
    }
  }

  lifecycle {
    # It belongs to the default node pool, which is removed.
    ignore_changes = [node_config]
  }

  depends_on = [google_project_iam_member.nodes]
}
