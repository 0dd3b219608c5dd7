# Checks from outside that the api is reachable: they replace the alerts of blackbox_exporter, TilAddressDown and
# TilCertificateExpiring.

locals {
  filters = {
    for metric in ["check_passed", "time_until_ssl_cert_expires"] : metric => join(" AND ", [
      "resource.type = \"uptime_url\"",
      "metric.type = \"monitoring.googleapis.com/uptime_check/${metric}\"",
      "metric.labels.check_id = \"${google_monitoring_uptime_check_config.main.uptime_check_id}\"",
    ])
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
  notification_channels = var.channels
  severity              = "CRITICAL"

  conditions {
    display_name = "Uptime checks from two regions fail for two minutes"

    condition_threshold {
      comparison      = "COMPARISON_GT"
      duration        = "120s"
      threshold_value = 1
      filter          = local.filters["check_passed"]

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
    content   = "docs/operations/alerts.md#tiladdressdown. ${var.advice.unreachable}"
  }
}

# The unit of the metric is days.
resource "google_monitoring_alert_policy" "certificate" {
  display_name          = "${var.name}: the certificate expires"
  combiner              = "OR"
  notification_channels = var.channels
  severity              = "WARNING"

  conditions {
    display_name = "The certificate expires in less than 14 days"

    condition_threshold {
      comparison      = "COMPARISON_LT"
      duration        = "3600s"
      threshold_value = 14
      filter          = local.filters["time_until_ssl_cert_expires"]

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
    content   = "docs/operations/alerts.md#tilcertificateexpiring. ${var.advice.certificate}"
  }
}
