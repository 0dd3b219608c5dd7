output "address" {
  description = "IP address for the domain's A record."
  value       = google_compute_global_address.main.address
}
