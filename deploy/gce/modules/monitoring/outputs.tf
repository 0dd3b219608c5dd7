output "instance_group_manager" {
  description = "The group of the one machine, to find it."
  value       = google_compute_region_instance_group_manager.main.name
}
