# Backend service and its health check.

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
  security_policy                 = module.edge.security_policy.id
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
