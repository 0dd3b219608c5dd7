variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region; three of its zones or more should offer L4s."
  type        = string
}

variable "zones" {
  description = "Zones of the region that offer the workers' GPU."
  type        = list(string)
}

variable "name" {
  description = "Prefix of every resource's name: one project can hold several deployments."
  type        = string
  default     = "til"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "3 to 20 small letters, digits and dashes, a letter first."
  }
}

variable "domain" {
  description = "Name that clients use, e.g. til.example.com."
  type        = string
}

variable "dns_zone" {
  description = "Name of the Cloud DNS zone that the domain lies in; empty: make its A record elsewhere."
  type        = string
  default     = ""
}

variable "topology" {
  description = "split: api machines behind the balancer, GPU machines that only pull. together: both on each GPU machine."
  type        = string
  default     = "split"

  validation {
    condition     = contains(["split", "together"], var.topology)
    error_message = "split or together."
  }
}

variable "range" {
  description = "Addresses of the virtual machines, in CIDR notation."
  type        = string
  default     = "10.20.0.0/20"
}

variable "repository" {
  description = "Artifact Registry repository that holds the images of the api and the worker, in this region."
  type        = string
}

variable "images" {
  description = "Container images, by digest where it matters."
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
  description = "Container-Optimized OS. A family moves with each new machine; name an image to hold it."
  type        = string
  default     = "projects/cos-cloud/global/images/family/cos-stable"
}

variable "model_bucket" {
  description = "Bucket with the weights, which the workers may read; empty: they are in the image, or come from the hub."
  type        = string
  default     = ""
}

variable "alert_email" {
  description = "Where alerts are sent; empty: they are seen in the console only."
  type        = string
  default     = ""
}

variable "labels" {
  description = "Labels of every resource that can have some."
  type        = map(string)
  default     = {}
}

variable "protected" {
  description = "Whether Terraform refuses to delete what holds data."
  type        = bool
  default     = true
}
