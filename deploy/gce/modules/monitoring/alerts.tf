# Alerts that must not depend on the deployment's own monitoring. All others: rules.tf.

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

module "uptime" {
  source   = "../uptime"
  name     = var.name
  domain   = var.domain
  channels = local.channels

  advice = {
    unreachable = "Check the health of the backend service, then the api's log: `docker logs til-api`."
    certificate = "Check that the domain points to the load balancer's address."
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
