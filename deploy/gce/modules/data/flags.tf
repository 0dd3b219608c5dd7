# Flags of PostgreSQL. It logs connections, lock waits and checkpoints, but never parameters of statements: they contain
# source code. The processes set their own timeouts on each connection.

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
    log_parameter_max_length     = "0"
    log_statement                = "ddl"
    log_duration                 = "off"
    track_io_timing              = "on"
    "cloudsql.enable_pgaudit"    = "on"
    autovacuum_vacuum_cost_limit = "2000"
  }
}
