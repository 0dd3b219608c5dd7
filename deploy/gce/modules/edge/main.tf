# What any load balancer of the api has: address, DNS record, TLS policy, and a rate limit for each client address.

resource "google_compute_global_address" "main" {
  name = var.name
}

resource "google_dns_record_set" "main" {
  count        = var.dns_zone == "" ? 0 : 1
  name         = "${var.domain}."
  managed_zone = var.dns_zone
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_global_address.main.address]
}

resource "google_compute_ssl_policy" "main" {
  name            = var.name
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
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
