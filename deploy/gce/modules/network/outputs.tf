output "vpc" {
  description = "Ids of the network and of the subnet of all machines, and the CIDR range of Cloud SQL and Memorystore."
  value = {
    network    = google_compute_network.main.id
    subnetwork = google_compute_subnetwork.main.id

    services_range = join("/", [
      google_compute_global_address.services.address, google_compute_global_address.services.prefix_length,
    ])
  }
}
