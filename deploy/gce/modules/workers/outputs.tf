output "instance_group" {
  description = "The group, which the balancer sends requests to where the api runs on the same machines."
  value       = google_compute_region_instance_group_manager.main.instance_group
}
