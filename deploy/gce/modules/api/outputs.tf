output "instance_group" {
  description = "Instance group, the backend of the load balancer."
  value       = google_compute_region_instance_group_manager.main.instance_group
}
