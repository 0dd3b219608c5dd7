# Allowed ingress. Everything else is denied and logged.

resource "google_compute_firewall" "balancer" {
  name                    = "${var.name}-balancer"
  network                 = google_compute_network.main.id
  description             = "Allow requests and health checks of the load balancer to the api."
  source_ranges           = local.balancer_ranges
  target_service_accounts = [var.accounts.api]

  allow {
    protocol = "tcp"
    ports    = [var.ports.http]
  }
}

resource "google_compute_firewall" "autohealing" {
  name        = "${var.name}-autohealing"
  network     = google_compute_network.main.id
  description = "Allow health checks of the instance groups to workers and Prometheus."
  # With topology together the worker runs with the api's service account.
  source_ranges           = local.balancer_ranges
  target_service_accounts = [var.accounts.api, var.accounts.worker, var.accounts.monitoring]

  allow {
    protocol = "tcp"
    ports    = [var.ports.worker_metrics, var.ports.prometheus]
  }
}

resource "google_compute_firewall" "metrics" {
  name                    = "${var.name}-metrics"
  network                 = google_compute_network.main.id
  description             = "Allow Prometheus to scrape all processes."
  source_service_accounts = [var.accounts.monitoring]
  target_service_accounts = [var.accounts.api, var.accounts.worker, var.accounts.data]

  allow {
    protocol = "tcp"
    ports = [
      var.ports.api_metrics, var.ports.worker_metrics, var.ports.steward, var.ports.node, var.ports.gpu,
    ]
  }
}

resource "google_compute_firewall" "data" {
  name                    = "${var.name}-data"
  network                 = google_compute_network.main.id
  description             = "Allow connections to PostgreSQL and Valkey on the data VM."
  source_service_accounts = [var.accounts.api, var.accounts.worker, var.accounts.monitoring]
  target_service_accounts = [var.accounts.data]

  allow {
    protocol = "tcp"
    ports    = [5432, 6379]
  }
}

resource "google_compute_firewall" "ssh" {
  name          = "${var.name}-ssh"
  network       = google_compute_network.main.id
  description   = "Allow SSH through IAP only."
  source_ranges = local.iap_ranges

  allow {
    protocol = "tcp"
    ports    = [22]
  }
}

resource "google_compute_firewall" "deny" {
  name          = "${var.name}-deny"
  network       = google_compute_network.main.id
  description   = "Deny and log everything else; the implied deny rule is not logged."
  priority      = 65534
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "EXCLUDE_ALL_METADATA"
  }
}
