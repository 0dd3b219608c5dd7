variable "name" {
  description = "Prefix of every resource's name."
  type        = string
}

variable "region" {
  description = "Region of the database and of Redis."
  type        = string
}

variable "kind" {
  description = "managed: Cloud SQL and Memorystore. vm: PostgreSQL and Valkey on one virtual machine."
  type        = string
}

variable "network" {
  description = "Id of the network."
  type        = string
}

variable "postgres" {
  description = "The database: version of Cloud SQL, machine, GB of disk, REGIONAL (a standby in another zone) or ZONAL."
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
  description = "Memory of Redis in GB. It holds doorbells and live text only."
  type        = number
}

variable "redis_tier" {
  description = "STANDARD_HA (a replica in another zone) or BASIC. Losing all of Redis loses no job."
  type        = string
}

variable "protected" {
  description = "Whether Terraform and the console refuse to delete what holds data."
  type        = bool
}

variable "password_version" {
  description = "Raise by one to replace the database's password; where kind is vm, give PostgreSQL the new one too (README)."
  type        = number
}

variable "accounts" {
  description = "E-mail addresses of the service accounts, by role."
  type        = map(string)
}

variable "machine" {
  description = "Where kind is vm: its machine type, zone, subnet, image and user data."
  type = object({
    type       = string
    zone       = string
    subnetwork = string
    image      = string
    user_data  = string
  })
}

variable "labels" {
  description = "Labels of every resource that can have some."
  type        = map(string)
}
