output "address" {
  description = "Address that the domain has to point to."
  value       = google_compute_global_address.main.address
}
