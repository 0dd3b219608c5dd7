# One group of machines with a GPU each. They only pull: nothing connects to them but health checks and Prometheus.

locals {
  spot = var.group == "spot"
}

resource "google_compute_region_instance_template" "main" {
  name_prefix  = "${var.name}-${var.group}-"
  region       = var.region
  machine_type = var.machine_type

  labels = merge(var.labels, {
    til-role         = var.role
    til-model        = var.model
    til-provisioning = var.group
  })

  disk {
    source_image = var.image
    boot         = true
    disk_size_gb = var.disk_gb
    disk_type    = "pd-ssd"
  }

  network_interface {
    subnetwork = var.subnetwork
  }

  # A machine with a GPU can't move to another host. A spot machine is deleted when it is preempted; the group makes
  # another one as soon as there is capacity.
  scheduling {
    provisioning_model          = local.spot ? "SPOT" : "STANDARD"
    preemptible                 = local.spot
    automatic_restart           = !local.spot
    on_host_maintenance         = "TERMINATE"
    instance_termination_action = local.spot ? "DELETE" : null
  }

  metadata = {
    user-data              = var.user_data
    shutdown-script        = var.shutdown_script
    enable-oslogin         = "TRUE"
    block-project-ssh-keys = "TRUE"
    google-logging-enabled = "TRUE"
  }

  service_account {
    email  = var.account
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  lifecycle {
    create_before_destroy = true
  }
}

# The engine's loop is alive. Not /readyz: a worker that drains is not ready, and must not be replaced for that.
resource "google_compute_health_check" "main" {
  name                = "${var.name}-${var.group}-autohealing"
  check_interval_sec  = 15
  timeout_sec         = 5
  healthy_threshold   = 1
  unhealthy_threshold = 6

  http_health_check {
    port         = var.health_port
    request_path = "/healthz"
  }
}

# BALANCED: machines come up in the zones that have GPUs. ANY would too, but can't be autoscaled.
resource "google_compute_region_instance_group_manager" "main" {
  name                             = "${var.name}-${var.group}"
  region                           = var.region
  base_instance_name               = "${var.name}-${var.group}"
  distribution_policy_zones        = var.zones
  distribution_policy_target_shape = "BALANCED"

  version {
    instance_template = google_compute_region_instance_template.main.self_link
  }

  dynamic "named_port" {
    for_each = var.role == "together" ? [var.http_port] : []

    content {
      name = "http"
      port = named_port.value
    }
  }

  # A machine that loads its model is left alone for twice the time that this takes, one that migrates the tables for as
  # long as that may take.
  auto_healing_policies {
    health_check      = google_compute_health_check.main.id
    initial_delay_sec = max(var.boot_seconds * 2, var.migrate_seconds)
  }

  # An update never needs more GPUs than there are: machines go before new ones come, up to one for each zone at a time,
  # as a regional group counts. Where the machines hold the api too, the operator replaces one after the other.
  update_policy {
    type                         = var.role == "together" ? "OPPORTUNISTIC" : "PROACTIVE"
    minimal_action               = "REPLACE"
    instance_redistribution_type = "NONE"
    max_surge_fixed              = 0
    max_unavailable_fixed        = length(var.zones)
  }
}
