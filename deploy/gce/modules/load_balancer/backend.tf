# Backend service, its health check, and a rate limit for each client address.

# /healthz is 200 also while the database is unavailable, so that the api itself responds 503 database_unavailable with
# Retry-After. With /readyz all backends would be unhealthy, and the load balancer would respond 502.
resource "google_compute_health_check" "main" {
  name                = "${var.name}-balancer"
  check_interval_sec  = 5
  timeout_sec         = 3
  healthy_threshold   = 2
  unhealthy_threshold = 3

  http_health_check {
    port         = var.port
    request_path = "/healthz"
  }
}

resource "google_compute_backend_service" "main" {
  name                            = var.name
  load_balancing_scheme           = "EXTERNAL_MANAGED"
  protocol                        = "HTTP"
  port_name                       = "http"
  health_checks                   = [google_compute_health_check.main.id]
  security_policy                 = google_compute_security_policy.main.id
  timeout_sec                     = var.stream_seconds
  connection_draining_timeout_sec = var.drain_seconds

  dynamic "backend" {
    for_each = var.groups

    content {
      group           = backend.value
      balancing_mode  = "UTILIZATION"
      max_utilization = 0.8
      capacity_scaler = 1.0
    }
  }

  log_config {
    enable      = true
    sample_rate = 0.1
  }
}

# Flood protection; the api has limits for each tenant. No rule inspects bodies: they contain source code, which would
# look like attacks.
resource "google_compute_security_policy" "main" {
  # checkov:skip=CKV_GCP_73:nothing here runs on Java, and the rule would refuse source code that mentions such attacks
  name = var.name

  rule {
    description = "Limit for each client address"
    action      = "throttle"
    priority    = 1000

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.requests_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    description = "Everything else"
    action      = "allow"
    priority    = 2147483647

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}
