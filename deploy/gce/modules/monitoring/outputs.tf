output "instance_group_manager" {
  description = "Name of the instance group of the monitoring VM."
  value       = google_compute_region_instance_group_manager.main.name
}
