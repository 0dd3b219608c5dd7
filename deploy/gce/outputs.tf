# Addresses and names, no secrets.

output "address" {
  description = "IP address for the domain's A record."
  value       = module.load_balancer.address
}

output "url" {
  description = "URL of the api."
  value       = "https://${var.domain}"
}

output "accounts" {
  description = "Service accounts, by role."
  value       = local.accounts
}

output "secrets" {
  description = "Ids in Secret Manager; read a value with gcloud secrets versions access latest --secret ID."
  value       = module.data.secrets
}

output "database_instance" {
  description = "Name of the Cloud SQL instance."
  value       = module.data.database_instance
}

output "monitoring_group" {
  description = "Instance group of the VM that runs Prometheus and Flower."
  value       = module.monitoring.instance_group_manager
}
