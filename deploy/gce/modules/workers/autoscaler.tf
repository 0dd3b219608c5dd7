# Follows til_workers_desired. The series does not come from the group's own VMs, so the group can scale to 0 and back.
# While the series is absent, a group at 0 stays there: modules/monitoring has an alert for that.

resource "google_compute_region_autoscaler" "main" {
  name   = "${var.name}-${var.group}"
  region = var.region
  target = google_compute_region_instance_group_manager.main.id

  autoscaling_policy {
    min_replicas    = var.min
    max_replicas    = var.max
    cooldown_period = var.boot_seconds

    metric {
      name                       = "prometheus.googleapis.com/til_workers_desired/gauge"
      single_instance_assignment = 1

      filter = join(" AND ", [
        "resource.type = \"prometheus_target\"",
        "resource.labels.cluster = \"${var.name}\"",
        "metric.labels.model = \"${var.model}\"",
        "metric.labels.group = \"${var.signal}\"",
      ])
    }

    scale_in_control {
      time_window_sec = var.scale_in.seconds

      max_scaled_in_replicas {
        fixed = var.scale_in.machines
      }
    }

    dynamic "scaling_schedules" {
      for_each = var.schedules

      content {
        name                  = scaling_schedules.key
        schedule              = scaling_schedules.value.schedule
        duration_sec          = scaling_schedules.value.seconds
        min_required_replicas = scaling_schedules.value.min
        time_zone             = scaling_schedules.value.time_zone
      }
    }
  }
}
