# Where the servers are. What is secret in an address is joined to it in secrets.tf only.

locals {
  # asyncpg's own parameter; it finds the CA by PGSSLROOTCERT.
  postgres = (
    var.kind == "managed"
    ? "${google_sql_database_instance.main[0].private_ip_address}:5432/til?ssl=verify-ca"
    : "${google_compute_address.data[0].address}:5432/til"
  )

  # Memorystore's certificate names no address that we could check: its CA signs for this one instance alone.
  redis_url = (
    var.kind == "managed"
    ? join("", [
      "rediss://:${urlencode(google_redis_instance.main[0].auth_string)}",
      "@${google_redis_instance.main[0].host}:${google_redis_instance.main[0].port}/0",
      "?ssl_cert_reqs=required&ssl_check_hostname=false&ssl_ca_certs=/run/til/tls/redis.pem",
    ])
    : "redis://:${ephemeral.google_secret_manager_secret_version.redis_password.secret_data}@${google_compute_address.data[0].address}:6379/0"
  )

  # Public: certificates of the servers' own authorities.
  postgres_ca = one(google_sql_database_instance.main[*].server_ca_cert[0].cert)
  redis_ca    = one([for redis in google_redis_instance.main : join("\n", redis.server_ca_certs[*].cert)])
}
