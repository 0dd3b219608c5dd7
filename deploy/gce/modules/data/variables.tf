variable "name" {
  description = "Prefix of all resource names."
  type        = string
}

variable "region" {
  description = "Region of the database and of Redis."
  type        = string
}

variable "kind" {
  description = "managed: Cloud SQL and Memorystore. vm: PostgreSQL and Valkey on one VM."
  type        = string
}

variable "network" {
  description = "Id of the network."
  type        = string
}

variable "settings" {
  description = <<-TEXT
    postgres: Cloud SQL version, machine tier, disk in GB, availability REGIONAL (a standby in another zone) or ZONAL.
    redis_gb: memory of Redis, which holds only doorbells and live text. redis_tier: STANDARD_HA (a replica in another
    zone) or BASIC; no job depends on the data in Redis.
    password_version: increase to replace the database's password; with kind vm, change it in PostgreSQL too (README).
  TEXT
  type = object({
    postgres_version      = string
    postgres_tier         = string
    postgres_disk_gb      = number
    postgres_availability = string
    log_days              = number
    backups               = number
    redis_gb              = number
    redis_tier            = string
    password_version      = number
  })
}

variable "protected" {
  description = "Whether Terraform and the console refuse to delete resources that hold data."
  type        = bool
}

variable "accounts" {
  description = "E-mail addresses of the service accounts, by role."
  type        = map(string)
}

variable "machine" {
  description = "With kind vm, the VM: machine type, zone, subnet, image and user data."
  type = object({
    type       = string
    zone       = string
    subnetwork = string
    image      = string
    user_data  = string
  })
  default = null
}

variable "labels" {
  description = "Labels for all resources that support them."
  type        = map(string)
}
