# User data of each kind of VM. The data VM is a separate module call: the others depend on outputs of module.data, to
# which it belongs.

locals {
  registry = "${var.region}-docker.pkg.dev"
  worker_settings = {
    model         = var.worker.model
    drain_seconds = var.worker.drain_seconds
    gpu_driver    = var.worker.gpu_driver
    environment   = var.worker.environment
  }
}

module "cloud_init" {
  source           = "./modules/cloud_init"
  for_each         = local.machines
  parts            = each.value.parts
  name             = var.name
  project          = var.project
  region           = var.region
  zones            = var.zones
  secrets          = { for name in each.value.secrets : name => module.data.secrets[name] }
  images           = var.images
  registry         = local.registry
  ports            = local.ports
  api_environment  = merge({ TIL_MODELS = var.worker.model }, var.api.environment)
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
  worker           = local.worker_settings
  patience_seconds = var.worker.boot_seconds

  authorities = {
    postgres = ""
    redis    = ""
  }
}
