# The chart's values that depend on this cluster. Models and their scaling are in another values file.

locals {
  registry = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.main.repository_id}"

  # The chart's ComputeClass prefers spot nodes, where a pod has 15 s to drain.
  makes_nodes = var.auto_provisioning.gpus > 0
  on_spot     = local.makes_nodes || var.gpu_pool.spot

  helm_values = {
    image = {
      registry = local.registry
    }
    secrets = {
      from    = "secretManager"
      project = var.project
      prefix  = "${var.name}-"
    }
    authorities = {
      postgres = module.data.postgres_ca
      redis    = module.data.redis_ca
    }
    serviceAccounts = { for process, role in local.processes : process => local.accounts[role] }
    worker = {
      drainSeconds  = local.on_spot ? 10 : 25
      marginSeconds = local.on_spot ? 5 : 15
      weights = {
        from   = "streamer"
        bucket = google_storage_bucket.weights.name
      }
    }
    scaling = {
      by = "keda"
      keda = {
        prometheus = "https://monitoring.googleapis.com/v1/projects/${var.project}/location/global/prometheus"
        identity   = "gcp"
      }
    }
    computeClass = {
      create             = local.makes_nodes
      machineType        = var.gpu.machine_type
      accelerator        = var.gpu.type
      driverVersion      = var.gpu.driver == "daemonset" ? "disabled" : var.gpu.driver
      zones              = var.zones
      bootDiskGb         = var.gpu.disk_gb
      nodeServiceAccount = google_service_account.nodes.email
    }
    ingress = {
      enabled        = true
      host           = var.domain
      staticAddress  = module.edge.address.name
      securityPolicy = module.edge.security_policy.name
      sslPolicy      = module.edge.ssl_policy.name
    }
    monitoring = {
      by = "podMonitoring"
    }
    network = {
      database = {
        cidrs = [module.network.vpc.services_range]
        port  = 5432
      }
      redis = {
        cidrs = [module.network.vpc.services_range]
        port  = 6378
      }
    }
  }
}
