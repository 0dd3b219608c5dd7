# Checks from outside that the api is reachable; no exporter in the cluster does so. The other alerts are in
# deploy/monitoring/rules.

locals {
  channels    = google_monitoring_notification_channel.email[*].id
  checked     = "metric.labels.check_id = \"${google_monitoring_uptime_check_config.main.uptime_check_id}\""
  uptime_type = "resource.type = \"uptime_url\" AND metric.type = \"monitoring.googleapis.com/uptime_check"
}

resource "google_monitoring_notification_channel" "email" {
  count        = var.email == "" ? 0 : 1
  display_name = "${var.name}: operators"
  type         = "email"
  depends_on   = [google_project_service.main]

  labels = {
    email_address = var.email
  }
}

resource "google_monitoring_uptime_check_config" "main" {
  display_name = "${var.name}: /healthz"
  period       = "60s"
  timeout      = "10s"
  depends_on   = [google_project_service.main]

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

# Replaces TilAddressDown.
resource "google_monitoring_alert_policy" "away" {
  display_name          = "${var.name}: the api does not answer"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "CRITICAL"

  conditions {
    display_name = "Two regions of the world get no answer for two minutes"

    condition_threshold {
      comparison      = "COMPARISON_GT"
      duration        = "120s"
      threshold_value = 1
      filter          = "${local.uptime_type}/check_passed\" AND ${local.checked}"

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
    content   = "docs/operations/alerts.md#tiladdressdown. Look at `kubectl describe ingress` and at the api's log."
  }
}

# Replaces TilCertificateExpiring. The unit of the metric is days.
resource "google_monitoring_alert_policy" "certificate" {
  display_name          = "${var.name}: the certificate expires"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "WARNING"

  conditions {
    display_name = "The certificate expires in less than 14 days"

    condition_threshold {
      comparison      = "COMPARISON_LT"
      duration        = "3600s"
      threshold_value = 14
      filter          = "${local.uptime_type}/time_until_ssl_cert_expires\" AND ${local.checked}"

      aggregations {
        alignment_period     = "1200s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_MEAN"
        group_by_fields      = ["resource.label.host"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "docs/operations/alerts.md#tilcertificateexpiring. Look at `kubectl describe managedcertificate`."
  }
}
