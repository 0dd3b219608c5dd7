# Addresses of the servers.

locals {
  # `ssl` is a parameter of asyncpg, which reads the CA certificate from PGSSLROOTCERT.
  postgres = (
    var.kind == "managed"
    ? "${google_sql_database_instance.main[0].private_ip_address}:5432/til?ssl=verify-ca"
    : "${google_compute_address.data[0].address}:5432/til"
  )

  # The host name can't be checked: Memorystore's certificate has none. Its CA is only for this instance.
  redis_url = (
    var.kind == "managed"
    ? join("", [
      "rediss://:${urlencode(google_redis_instance.main[0].auth_string)}",
      "@${google_redis_instance.main[0].host}:${google_redis_instance.main[0].port}/0",
      "?ssl_cert_reqs=required&ssl_check_hostname=false&ssl_ca_certs=/run/til/tls/redis.pem",
    ])
    : "redis://:${ephemeral.google_secret_manager_secret_version.redis_password.secret_data}@${google_compute_address.data[0].address}:6379/0"
  )

  # CA certificates of the servers, which are public.
  postgres_ca = one(google_sql_database_instance.main[*].server_ca_cert[0].cert)
  redis_ca    = one([for redis in google_redis_instance.main : join("\n", redis.server_ca_certs[*].cert)])
}
