# Small VMs without a GPU, each with an api and a steward.

resource "google_compute_region_instance_template" "main" {
  name_prefix  = "${var.name}-api-"
  region       = var.region
  machine_type = var.machine_type
  labels       = merge(var.labels, { til-role = "api" })

  disk {
    source_image = var.image
    boot         = true
    disk_size_gb = 20
    disk_type    = "pd-balanced"
  }

  network_interface {
    subnetwork = var.subnetwork
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

resource "google_compute_health_check" "main" {
  name                = "${var.name}-api-autohealing"
  check_interval_sec  = 10
  timeout_sec         = 5
  healthy_threshold   = 1
  unhealthy_threshold = 6

  http_health_check {
    port         = var.port
    request_path = "/healthz"
  }
}

resource "google_compute_region_instance_group_manager" "main" {
  name                      = "${var.name}-api"
  region                    = var.region
  base_instance_name        = "${var.name}-api"
  distribution_policy_zones = var.zones

  version {
    instance_template = google_compute_region_instance_template.main.self_link
  }

  named_port {
    name = "http"
    port = var.port
  }

  auto_healing_policies {
    health_check      = google_compute_health_check.main.id
    initial_delay_sec = var.boot_seconds * 2
  }

  # Create new VMs before old ones are deleted. The surge of a regional group is 0 or at least the number of zones.
  update_policy {
    type                  = "PROACTIVE"
    minimal_action        = "REPLACE"
    max_surge_fixed       = length(var.zones)
    max_unavailable_fixed = 0
  }
}

resource "google_compute_region_autoscaler" "main" {
  name   = "${var.name}-api"
  region = var.region
  target = google_compute_region_instance_group_manager.main.id

  autoscaling_policy {
    min_replicas    = var.min
    max_replicas    = var.max
    cooldown_period = var.boot_seconds

    cpu_utilization {
      target = 0.6
    }
  }
}
