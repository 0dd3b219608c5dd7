variable "parts" {
  description = "What the machine runs: api, worker, monitoring or data, in files of the folder parts."
  type        = list(string)
}

variable "name" {
  description = "Name of the deployment."
  type        = string
}

variable "project" {
  description = "Project that holds the secrets."
  type        = string
}

variable "region" {
  description = "Region that the figures are stored in."
  type        = string
}

variable "zones" {
  description = "Zones in which Prometheus looks for machines."
  type        = list(string)
}

variable "secrets" {
  description = "Ids in Secret Manager, by the name of the file that the value goes to."
  type        = map(string)
}

variable "authorities" {
  description = "PEM certificates of the authorities of PostgreSQL and Redis; empty where there is no TLS."
  type = object({
    postgres = string
    redis    = string
  })
}

variable "images" {
  description = "Addresses of the container images, by name."
  type        = map(string)
}

variable "registry" {
  description = "Host of the registry that the machine logs in to."
  type        = string
}

variable "ports" {
  description = "Ports on the machine."
  type        = map(number)
}

variable "api_environment" {
  description = "Further settings of the api and the steward (docs/operate.md), none of them secret."
  type        = map(string)
}

variable "worker" {
  description = "The worker: model alias, seconds to drain, version of the GPU's driver, further settings, none of them secret."
  type = object({
    model         = string
    drain_seconds = number
    gpu_driver    = string
    environment   = map(string)
  })
}

variable "migrate_seconds" {
  description = "How long a migration of the tables may take."
  type        = number
}

variable "files" {
  description = "Further files of the machine, by their path below /etc/til."
  type        = map(string)
  default     = {}
}

variable "patience_seconds" {
  description = "How long spot machines may be missing before machines on demand step in."
  type        = number
}
