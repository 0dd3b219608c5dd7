# An instance group of VMs with one GPU each. Only health checks and Prometheus connect to them.

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

  # VMs with a GPU can't be live-migrated. A preempted spot VM is deleted; the group creates another one when there is
  # capacity.
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

# Liveness, not /readyz: a draining worker is not ready and must not be replaced for that.
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

# BALANCED uses the zones that have GPUs. So does ANY, but it can't be autoscaled.
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

  # No autohealing for twice the boot time, while a VM loads its model.
  auto_healing_policies {
    health_check      = google_compute_health_check.main.id
    initial_delay_sec = var.boot_seconds * 2
  }

  # An update needs no additional GPUs: VMs are deleted before new ones are created, up to one per zone at a time (the
  # minimum for a regional group). With topology together the operator replaces VMs one by one.
  update_policy {
    type                         = var.role == "together" ? "OPPORTUNISTIC" : "PROACTIVE"
    minimal_action               = "REPLACE"
    instance_redistribution_type = "NONE"
    max_surge_fixed              = 0
    max_unavailable_fixed        = length(var.zones)
  }
}
