output "instance_group" {
  description = "The group that the balancer sends requests to."
  value       = google_compute_region_instance_group_manager.main.instance_group
}
