# A global external HTTPS load balancer with a certificate, and redirect from HTTP.

module "edge" {
  source              = "../edge"
  name                = var.name
  domain              = var.domain
  dns_zone            = var.dns_zone
  requests_per_minute = var.requests_per_minute
}

# Becomes valid 15 to 60 minutes after the domain points to the address.
resource "google_compute_managed_ssl_certificate" "main" {
  name = "${var.name}-${replace(var.domain, ".", "-")}"

  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_url_map" "main" {
  name            = var.name
  default_service = google_compute_backend_service.main.id
}

resource "google_compute_target_https_proxy" "main" {
  name             = var.name
  url_map          = google_compute_url_map.main.id
  ssl_certificates = [google_compute_managed_ssl_certificate.main.id]
  ssl_policy       = module.edge.ssl_policy.id
}

resource "google_compute_global_forwarding_rule" "https" {
  name                  = "${var.name}-https"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = module.edge.address.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.main.id
}

resource "google_compute_url_map" "redirect" {
  name = "${var.name}-redirect"

  default_url_redirect {
    https_redirect         = true
    strip_query            = false
    redirect_response_code = "PERMANENT_REDIRECT"
  }
}

resource "google_compute_target_http_proxy" "redirect" {
  name    = "${var.name}-redirect"
  url_map = google_compute_url_map.redirect.id
}

resource "google_compute_global_forwarding_rule" "http" {
  name                  = "${var.name}-http"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = module.edge.address.id
  port_range            = "80"
  target                = google_compute_target_http_proxy.redirect.id
}
