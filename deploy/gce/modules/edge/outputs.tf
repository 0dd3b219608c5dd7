output "address" {
  description = "The address, a resource."
  value       = google_compute_global_address.main
}

output "ssl_policy" {
  description = "The TLS policy, a resource."
  value       = google_compute_ssl_policy.main
}

output "security_policy" {
  description = "The policy with the rate limit, a resource."
  value       = google_compute_security_policy.main
}
