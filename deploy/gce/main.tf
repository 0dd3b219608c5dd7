# Phase 1: virtual machines. This file connects the modules in modules/.

locals {
  together = var.topology == "together"
  labels   = merge(var.labels, { til-cluster = var.name })

  # With topology together, api and worker share a VM and thus its service account.
  worker_role = local.together ? "api" : "worker"

  ports = {
    http           = 8000
    api_metrics    = 9101
    worker_metrics = 9102
    steward        = 9103
    node           = 9104
    gpu            = 9400
    prometheus     = 9090
  }

  # Spot VMs first; on-demand VMs replace those that Google can't provide. A minimum or a schedule is kept by on-demand
  # VMs: spot VMs may not be available then.
  on_demand = { standard = { signal = "first", min = var.worker.min, schedules = var.worker.schedules } }
  spot_first = {
    spot     = { signal = "first", min = 0, schedules = {} }
    standard = { signal = "fallback", min = var.worker.min, schedules = var.worker.schedules }
  }
  worker_groups = var.worker.spot ? local.spot_first : local.on_demand

  # How long a migration may take; no autohealing of an api VM until then.
  migrate_seconds = 1800

  # Names of settings that contain a secret. NAME_FILE is allowed: it is a path.
  secret_name = "(TOKEN|KEYS?|PASSWORD|SECRET|^DATABASE_URL|^REDIS_URL)$"

  api_group = local.together ? module.workers["standard"].instance_group : module.api[0].instance_group

  machines = {
    api        = { parts = ["api"], secrets = ["database-url", "redis-url", "secret-keys"] }
    worker     = { parts = ["worker"], secrets = ["database-url", "redis-url"] }
    together   = { parts = ["api", "worker"], secrets = ["database-url", "redis-url", "secret-keys"] }
    monitoring = { parts = ["monitoring"], secrets = ["redis-url", "flower-login"] }
  }
}

module "network" {
  source = "./modules/network"
  name   = var.name
  region = var.region
  range  = var.range
}

module "firewall" {
  source   = "./modules/firewall"
  name     = var.name
  network  = module.network.vpc.network
  accounts = local.accounts
  ports    = local.ports
}

module "data" {
  source    = "./modules/data"
  name      = var.name
  region    = var.region
  kind      = var.data.kind
  settings  = var.data
  network   = module.network.vpc.network
  protected = var.protected
  accounts  = local.accounts
  labels    = local.labels

  machine = {
    type       = var.data.machine_type
    zone       = var.zones[0]
    subnetwork = module.network.vpc.subnetwork
    image      = var.machine_image
    user_data  = module.cloud_init_data.user_data
  }

  # Cloud SQL and Memorystore need the peering with Google's services, and a VM the rules that let anybody reach it.
  depends_on = [module.network, module.firewall]
}

module "api" {
  source          = "./modules/api"
  count           = local.together ? 0 : 1
  name            = var.name
  region          = var.region
  zones           = var.zones
  subnetwork      = module.network.vpc.subnetwork
  account         = local.accounts["api"]
  image           = var.machine_image
  machine_type    = var.api.machine_type
  min             = var.api.min
  max             = var.api.max
  port            = local.ports.http
  boot_seconds    = var.api.boot_seconds
  migrate_seconds = local.migrate_seconds
  user_data       = module.cloud_init["api"].user_data
  shutdown_script = module.cloud_init["api"].shutdown_script
  labels          = local.labels
}

module "workers" {
  source          = "./modules/workers"
  for_each        = local.worker_groups
  name            = var.name
  group           = each.key
  region          = var.region
  zones           = var.zones
  subnetwork      = module.network.vpc.subnetwork
  account         = local.accounts[local.worker_role]
  image           = var.machine_image
  role            = local.together ? "together" : "worker"
  machine_type    = var.worker.machine_type
  disk_gb         = var.worker.disk_gb
  model           = var.worker.model
  signal          = each.value.signal
  min             = each.value.min
  max             = var.worker.max
  schedules       = each.value.schedules
  boot_seconds    = var.worker.boot_seconds
  migrate_seconds = local.together ? local.migrate_seconds : 0
  scale_in        = var.worker.scale_in
  health_port     = local.ports.worker_metrics
  http_port       = local.ports.http
  user_data       = module.cloud_init[local.together ? "together" : "worker"].user_data
  shutdown_script = module.cloud_init["worker"].shutdown_script
  labels          = local.labels
}

module "load_balancer" {
  source              = "./modules/load_balancer"
  name                = var.name
  domain              = var.domain
  dns_zone            = var.dns_zone
  groups              = { api = local.api_group }
  port                = local.ports.http
  stream_seconds      = var.balancer.stream_seconds
  drain_seconds       = var.balancer.drain_seconds
  requests_per_minute = var.balancer.requests_per_minute
}

module "monitoring" {
  source       = "./modules/monitoring"
  name         = var.name
  region       = var.region
  zones        = var.zones
  subnetwork   = module.network.vpc.subnetwork
  account      = local.accounts["monitoring"]
  image        = var.machine_image
  machine_type = var.monitoring_machine_type
  port         = local.ports.prometheus
  domain       = var.domain
  rules        = local.rules
  model        = var.worker.model
  email        = var.alert_email
  user_data    = module.cloud_init["monitoring"].user_data
  labels       = local.labels
}
