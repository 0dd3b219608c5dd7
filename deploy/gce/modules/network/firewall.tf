# What may come in. All else is denied, and the denial is logged.

resource "google_compute_firewall" "balancer" {
  name                    = "${var.name}-balancer"
  network                 = google_compute_network.main.id
  description             = "Requests and health checks of the load balancer reach the api."
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
  description = "Health checks of the instance groups reach the worker's health port and Prometheus."
  # With topology together the worker runs under the api's account.
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
  description             = "Prometheus reads the metrics of every process."
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
  description             = "PostgreSQL and Valkey where they run on a virtual machine of ours."
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
  description   = "Operators come in through IAP only."
  source_ranges = local.iap_ranges

  allow {
    protocol = "tcp"
    ports    = [22]
  }
}

resource "google_compute_firewall" "deny" {
  name          = "${var.name}-deny"
  network       = google_compute_network.main.id
  description   = "The implied rule denies too, but is not logged."
  priority      = 65534
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "EXCLUDE_ALL_METADATA"
  }
}
