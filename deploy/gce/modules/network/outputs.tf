output "network" {
  description = "The network's id."
  value       = google_compute_network.main.id
}

output "subnetwork" {
  description = "The subnet of all VMs."
  value       = google_compute_subnetwork.main.id
}
