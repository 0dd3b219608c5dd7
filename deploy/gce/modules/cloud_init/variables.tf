variable "parts" {
  description = "What the VM runs: api, worker, monitoring, data (files in the folder parts)."
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
  description = "Region in which metrics are stored."
  type        = string
}

variable "zones" {
  description = "Zones in which Prometheus discovers VMs."
  type        = list(string)
}

variable "secrets" {
  description = "Secret Manager ids, by the name of the file on the VM."
  type        = map(string)
}

variable "authorities" {
  description = "PEM certificates of the CAs of PostgreSQL and Redis; empty without TLS."
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
  description = "Host of the registry that the VM logs in to."
  type        = string
}

variable "ports" {
  description = "Ports on the VM."
  type        = map(number)
}

variable "api_environment" {
  description = "Further settings of api and steward (docs/operate.md), no secrets."
  type        = map(string)
}

variable "worker" {
  description = "Settings of the worker: model alias, seconds to drain, version of the GPU driver, further settings (no secrets)."
  type = object({
    model         = string
    drain_seconds = number
    gpu_driver    = string
    environment   = map(string)
  })
}

variable "patience_seconds" {
  description = "How long spot VMs may be missing before on-demand VMs are created."
  type        = number
}
