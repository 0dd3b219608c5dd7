# Three alerts that must not depend on the deployment's own monitoring. All others: deploy/monitoring.

locals {
  channels = google_monitoring_notification_channel.email[*].id
}

resource "google_monitoring_notification_channel" "email" {
  count        = var.email == "" ? 0 : 1
  display_name = "${var.name}: operators"
  type         = "email"

  labels = {
    email_address = var.email
  }
}

resource "google_monitoring_uptime_check_config" "main" {
  display_name = "${var.name}: /healthz"
  period       = "60s"
  timeout      = "10s"

  http_check {
    path         = "/healthz"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type = "uptime_url"

    labels = {
      host = var.domain
    }
  }
}

resource "google_monitoring_alert_policy" "unreachable" {
  display_name          = "${var.name}: the api does not answer"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "CRITICAL"

  conditions {
    display_name = "Uptime checks from two regions fail for two minutes"

    condition_threshold {
      comparison      = "COMPARISON_GT"
      duration        = "120s"
      threshold_value = 1

      filter = join(" AND ", [
        "resource.type = \"uptime_url\"",
        "metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\"",
        "metric.labels.check_id = \"${google_monitoring_uptime_check_config.main.uptime_check_id}\"",
      ])

      aggregations {
        alignment_period     = "120s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Check the health of the backend service, then the api's log: `docker logs til-api`."
  }
}

resource "google_monitoring_alert_policy" "signal" {
  display_name          = "${var.name}: the scaling signal is absent"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "CRITICAL"

  conditions {
    display_name = "No til_workers_desired for five minutes: a group at 0 stays at 0"

    condition_prometheus_query_language {
      query = "absent(til_workers_desired{cluster=\"${var.name}\", model=\"${var.model}\", group=\"first\"})"
      # The series may not exist yet when the alert is created.
      disable_metric_validation = true
      duration                  = "300s"
      evaluation_interval       = "30s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Check that a steward and the monitoring VM run. Until the series is back, resize the workers' group by hand."
  }
}

resource "google_monitoring_alert_policy" "waiting" {
  display_name          = "${var.name}: jobs wait too long"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "WARNING"

  conditions {
    display_name = "The oldest queued job is older than half an hour"

    condition_prometheus_query_language {
      query                     = "max(til_oldest_queued_seconds{cluster=\"${var.name}\"}) > 1800"
      disable_metric_validation = true
      duration                  = "300s"
      evaluation_interval       = "30s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Check whether the workers' group is at its maximum, whether its zones lack capacity, and whether workers fail."
  }
}
