# User data for Container-Optimized OS: systemd units that run containers. It holds no secret.

locals {
  # From SIGTERM to SIGKILL: the drain, and 3 s to store its results. A preempted VM is stopped after 30 s.
  stop_seconds = var.worker.drain_seconds + 3

  units = {
    common     = ["til-node.service", "til-node-port.service"]
    api        = ["til-api.service", "til-steward.service"]
    worker     = ["til-worker.service", "til-dcgm.service"]
    monitoring = ["til-prometheus.service", "til-flower.service"]
    data       = ["til-postgres.service", "til-valkey.service"]
  }
  parts = concat(["common"], var.parts)

  discover = {
    for name in ["api_metrics", "steward", "worker_metrics", "gpu", "node"] : name => jsonencode([
      for zone in var.zones : {
        project          = var.project
        zone             = zone
        port             = var.ports[name]
        filter           = "labels.til-cluster = ${var.name}"
        refresh_interval = "30s"
      }
    ])
  }

  prometheus_config = templatefile("${path.module}/files/prometheus.yml.tftpl", {
    project          = var.project
    region           = var.region
    name             = var.name
    discover_api     = local.discover["api_metrics"]
    discover_steward = local.discover["steward"]
    discover_worker  = local.discover["worker_metrics"]
    discover_gpu     = local.discover["gpu"]
    discover_node    = local.discover["node"]
  })
  scaling_rules = templatefile("${path.module}/files/scaling.rules.yml.tftpl", {
    patience_seconds = var.patience_seconds
    # Samples are 15 s apart; up to a fifth of them may be missing.
    patience_samples = floor(var.patience_seconds / 15 * 0.8)
  })
  tls_script = templatefile("${path.module}/files/tls.sh.tftpl", {
    postgres_ca = base64encode(var.authorities.postgres)
    redis_ca    = base64encode(var.authorities.redis)
  })

  values = {
    project             = var.project
    secrets             = join(" ", [for name, id in var.secrets : "${id}=${name}"])
    registry            = var.registry
    hardening           = "--init --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --user 10001:10001"
    secrets_script      = filebase64("${path.module}/files/secrets.sh")
    tls_script          = base64encode(local.tls_script)
    flower_script       = filebase64("${path.module}/files/flower.sh")
    valkey_script       = filebase64("${path.module}/files/valkey.sh")
    disk_script         = filebase64("${path.module}/files/disk.sh")
    prometheus_config   = base64encode(local.prometheus_config)
    scaling_rules       = base64encode(local.scaling_rules)
    api_environment     = join("\n", [for name, value in var.api_environment : "${name}=${value}"])
    worker_environment  = join("\n", [for name, value in var.worker.environment : "${name}=${value}"])
    model_alias         = var.worker.model
    drain_seconds       = var.worker.drain_seconds
    stop_seconds        = local.stop_seconds
    stop_limit_seconds  = local.stop_seconds + 3
    gpu_driver          = var.worker.gpu_driver
    api_image           = var.images["api"]
    worker_image        = var.images["worker"]
    node_image          = var.images["node_exporter"]
    dcgm_image          = var.images["dcgm_exporter"]
    prometheus_image    = var.images["prometheus"]
    postgres_image      = var.images["postgres"]
    valkey_image        = var.images["valkey"]
    http_port           = var.ports["http"]
    api_metrics_port    = var.ports["api_metrics"]
    worker_metrics_port = var.ports["worker_metrics"]
    steward_port        = var.ports["steward"]
    node_port           = var.ports["node"]
    gpu_port            = var.ports["gpu"]
    prometheus_port     = var.ports["prometheus"]
  }

  user_data = templatefile("${path.module}/files/user-data.yaml.tftpl", {
    units = join(" ", flatten([for part in local.parts : local.units[part]]))
    files = join("", [
      for part in local.parts : templatefile("${path.module}/parts/${part}.yaml.tftpl", local.values)
    ])
  })
}
