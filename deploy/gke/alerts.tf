# Checks from outside that the api is reachable; no exporter in the cluster does so. The other alerts are in
# deploy/monitoring/rules.

resource "google_monitoring_notification_channel" "email" {
  count        = var.email == "" ? 0 : 1
  display_name = "${var.name}: operators"
  type         = "email"
  depends_on   = [google_project_service.main]

  labels = {
    email_address = var.email
  }
}

module "uptime" {
  source     = "../gce/modules/uptime"
  name       = var.name
  domain     = var.domain
  channels   = google_monitoring_notification_channel.email[*].id
  depends_on = [google_project_service.main]

  advice = {
    unreachable = "Look at `kubectl describe ingress` and at the api's log."
    certificate = "Look at `kubectl describe managedcertificate`."
  }
}
