variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region; at least three of its zones should offer L4s."
  type        = string
}

variable "zones" {
  description = "Zones of the region that offer the workers' GPU."
  type        = list(string)
}

variable "name" {
  description = "Prefix of all resource names, so that one project can hold several deployments."
  type        = string
  default     = "til"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "3 to 20 lower-case letters, digits and dashes, beginning with a letter."
  }
}

variable "domain" {
  description = "Domain name of the api, e.g. til.example.com."
  type        = string
}

variable "dns_zone" {
  description = "Name of the Cloud DNS zone of the domain; empty: create its A record elsewhere."
  type        = string
  default     = ""
}

variable "topology" {
  description = "split: api VMs behind the load balancer and separate GPU VMs. together: api and worker on each GPU VM."
  type        = string
  default     = "split"

  validation {
    condition     = contains(["split", "together"], var.topology)
    error_message = "split or together."
  }
}

variable "range" {
  description = "CIDR range of the VMs."
  type        = string
  default     = "10.20.0.0/20"
}

variable "repository" {
  description = "Artifact Registry repository of the api's and the worker's images, in this region."
  type        = string
}

variable "images" {
  description = "Container images; a digest pins one."
  type = object({
    api           = string
    worker        = string
    node_exporter = optional(string, "quay.io/prometheus/node-exporter:v1.9.1")
    dcgm_exporter = optional(string, "nvcr.io/nvidia/k8s/dcgm-exporter:4.2.3-4.1.3-ubuntu22.04")
    prometheus    = optional(string, "gke.gcr.io/prometheus-engine/prometheus:v2.53.5-gmp.9-gke.0")
    postgres      = optional(string, "docker.io/library/postgres:18")
    valkey        = optional(string, "docker.io/valkey/valkey:9")
  })
}

variable "machine_image" {
  description = "Container-Optimized OS. A family means the newest image for each new VM; name an image to pin it."
  type        = string
  default     = "projects/cos-cloud/global/images/family/cos-stable"
}

variable "model_bucket" {
  description = "Bucket with the weights, which the workers may read; empty: weights are in the image or come from the hub."
  type        = string
  default     = ""
}

variable "alert_email" {
  description = "E-mail address for alerts; empty: alerts are shown in the console only."
  type        = string
  default     = ""
}

variable "labels" {
  description = "Labels for all resources that support them."
  type        = map(string)
  default     = {}
}

variable "protected" {
  description = "Whether Terraform refuses to delete resources that hold data."
  type        = bool
  default     = true
}
