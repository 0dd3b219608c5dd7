# User data of each kind of VM. The data VM is a separate module call: the others depend on outputs of module.data, to
# which it belongs.

locals {
  # The secret with the token of the Hugging Face hub, and its file on a worker VM.
  hub_secrets = var.hf_token_secret == "" ? {} : { hf-token = var.hf_token_secret }
  hub_token   = var.hf_token_secret == "" ? {} : { HF_TOKEN_PATH = "/run/til/secrets/hf-token" }

  # Rules of Prometheus and dashboards of Grafana: the same files as in other deployments.
  monitoring = "${path.module}/../monitoring"
  rules      = { for name in fileset("${local.monitoring}/rules", "*.yml") : name => file("${local.monitoring}/rules/${name}") }
  monitoring_files = merge(
    { for name, text in local.rules : "rules/${name}" => text },
    { for name in fileset("${local.monitoring}/grafana", "**") : "grafana/${name}" => file("${local.monitoring}/grafana/${name}") },
  )

  registry = "${var.region}-docker.pkg.dev"
  api_settings = {
    TIL_MODELS = var.worker.model
    # The scaling signal expects that a new worker takes so long to start.
    TIL_COLD_START_SECONDS = var.worker.boot_seconds
  }
  worker_settings = {
    model         = var.worker.model
    drain_seconds = var.worker.drain_seconds
    gpu_driver    = var.worker.gpu_driver
    environment   = merge(local.hub_token, var.worker.environment)
  }
}

module "cloud_init" {
  source   = "./modules/cloud_init"
  for_each = local.machines
  parts    = each.value.parts
  name     = var.name
  project  = var.project
  region   = var.region
  zones    = var.zones
  files = merge(
    contains(each.value.parts, "monitoring") ? local.monitoring_files : {},
    contains(each.value.parts, "worker") ? { "dcgm-counters.csv" = file("${local.monitoring}/dcgm/counters.csv") } : {},
  )
  migrate_seconds = local.migrate_seconds
  images          = var.images
  registry        = local.registry
  ports           = local.ports
  secrets = merge(
    { for name in each.value.secrets : name => module.data.secrets[name] },
    contains(each.value.parts, "worker") ? local.hub_secrets : {},
  )
  api_environment  = merge(local.api_settings, var.api.environment)
  worker           = local.worker_settings
  patience_seconds = var.worker.boot_seconds

  authorities = {
    postgres = coalesce(module.data.postgres_ca, " ")
    redis    = coalesce(module.data.redis_ca, " ")
  }
}

module "cloud_init_data" {
  source           = "./modules/cloud_init"
  parts            = ["data"]
  name             = var.name
  project          = var.project
  region           = var.region
  zones            = var.zones
  secrets          = { for name in ["database-password", "redis-password"] : name => "${var.name}-${name}" }
  images           = var.images
  registry         = local.registry
  ports            = local.ports
  api_environment  = {}
  migrate_seconds  = local.migrate_seconds
  worker           = local.worker_settings
  patience_seconds = var.worker.boot_seconds

  authorities = {
    postgres = ""
    redis    = ""
  }
}
