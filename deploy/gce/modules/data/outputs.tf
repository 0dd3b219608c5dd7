output "postgres_ca" {
  description = "CA certificate of the database; null with kind vm."
  value       = local.postgres_ca
}

output "redis_ca" {
  description = "CA certificates of Redis; null with kind vm."
  value       = local.redis_ca
}

output "secrets" {
  description = "Secret Manager ids by name, no values."
  value       = { for name, secret in google_secret_manager_secret.main : name => secret.secret_id }
}

output "database_instance" {
  description = "Name of the Cloud SQL instance; null with kind vm."
  value       = one(google_sql_database_instance.main[*].name)
}
