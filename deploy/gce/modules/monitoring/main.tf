# One small VM with Flower and with Prometheus, which scrapes all VMs and writes the series that the autoscalers follow.
# Exactly one VM: two would write each series twice, and an autoscaler adds them up. It is stateless: if it fails, the
# group recreates it, and until then nothing scales.

resource "google_compute_region_instance_template" "main" {
  name_prefix  = "${var.name}-monitoring-"
  region       = var.region
  machine_type = var.machine_type
  labels       = merge(var.labels, { til-role = "monitoring" })

  disk {
    source_image = var.image
    boot         = true
    disk_size_gb = 30
    disk_type    = "pd-balanced"
  }

  network_interface {
    subnetwork = var.subnetwork
  }

  metadata = {
    user-data              = var.user_data
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

resource "google_compute_health_check" "main" {
  name                = "${var.name}-monitoring"
  check_interval_sec  = 15
  timeout_sec         = 5
  healthy_threshold   = 1
  unhealthy_threshold = 4

  http_health_check {
    port         = var.port
    request_path = "/-/healthy"
  }
}

resource "google_compute_region_instance_group_manager" "main" {
  name                      = "${var.name}-monitoring"
  region                    = var.region
  base_instance_name        = "${var.name}-monitoring"
  distribution_policy_zones = var.zones
  target_size               = 1

  version {
    instance_template = google_compute_region_instance_template.main.self_link
  }

  auto_healing_policies {
    health_check      = google_compute_health_check.main.id
    initial_delay_sec = 300
  }

  # Delete the old VM before the new one is created.
  update_policy {
    type                         = "PROACTIVE"
    minimal_action               = "REPLACE"
    instance_redistribution_type = "NONE"
    max_surge_fixed              = 0
    max_unavailable_fixed        = length(var.zones)
  }
}
