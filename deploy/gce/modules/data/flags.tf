# What PostgreSQL logs: connections, waits and checkpoints; never the values of a statement, they hold source code.
# The product's processes set their own time limits on each connection. Cloud SQL takes only the flags of its own list
# (https://cloud.google.com/sql/docs/postgres/flags); those of the logs are in CIS' benchmark for it too.

locals {
  flags = {
    log_checkpoints              = "on"
    log_connections              = "on"
    log_disconnections           = "on"
    log_lock_waits               = "on"
    log_hostname                 = "off"
    log_min_messages             = "warning"
    log_min_error_statement      = "error"
    log_min_duration_statement   = "-1"
    log_statement                = "ddl"
    log_duration                 = "off"
    "cloudsql.enable_pgaudit"    = "on"
    autovacuum_vacuum_cost_limit = "2000"
  }
}
