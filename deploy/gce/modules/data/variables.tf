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

variable "postgres" {
  description = "The database: Cloud SQL version, machine tier, disk in GB, availability REGIONAL (a standby in another zone) or ZONAL."
  type = object({
    version      = string
    tier         = string
    disk_gb      = number
    availability = string
    log_days     = number
    backups      = number
  })
}

variable "redis_gb" {
  description = "Memory of Redis in GB. It holds only doorbells and live text."
  type        = number
}

variable "redis_tier" {
  description = "STANDARD_HA (a replica in another zone) or BASIC. No job depends on the data in Redis."
  type        = string
}

variable "protected" {
  description = "Whether Terraform and the console refuse to delete resources that hold data."
  type        = bool
}

variable "password_version" {
  description = "Increase to replace the database's password; with kind vm, change it in PostgreSQL too (README)."
  type        = number
}

variable "accounts" {
  description = "E-mail addresses of the service accounts, by role."
  type        = map(string)
}

variable "machine" {
  description = "The VM with kind vm: machine type, zone, subnet, image and user data."
  type = object({
    type       = string
    zone       = string
    subnetwork = string
    image      = string
    user_data  = string
  })
}

variable "labels" {
  description = "Labels for all resources that support them."
  type        = map(string)
}
