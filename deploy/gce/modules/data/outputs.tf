output "postgres_ca" {
  description = "Certificate of the authority that signed the database's certificate; null on a virtual machine of ours."
  value       = local.postgres_ca
}

output "redis_ca" {
  description = "Certificates of the authorities of Redis; null on a virtual machine of ours."
  value       = local.redis_ca
}

output "secrets" {
  description = "Ids of the secrets, never their values, by name."
  value       = { for name, secret in google_secret_manager_secret.main : name => secret.secret_id }
}

output "database_instance" {
  description = "Name of the Cloud SQL instance; null on a virtual machine of ours."
  value       = one(google_sql_database_instance.main[*].name)
}
