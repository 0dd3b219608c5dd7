# Allowed ingress to the VMs. Everything else is denied and logged: modules/network.

locals {
  # Source ranges of Google's load balancers and health checks, and of IAP's TCP forwarding.
  balancer_ranges = ["130.211.0.0/22", "35.191.0.0/16"]
  iap_ranges      = ["35.235.240.0/20"]
}

resource "google_compute_firewall" "balancer" {
  name                    = "${var.name}-balancer"
  network                 = var.network
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
  network     = var.network
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
  network                 = var.network
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
  network                 = var.network
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
  network       = var.network
  description   = "Allow SSH through IAP only."
  source_ranges = local.iap_ranges

  allow {
    protocol = "tcp"
    ports    = [22]
  }
}
