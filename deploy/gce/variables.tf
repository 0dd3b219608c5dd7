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
  description = "Container images. The defaults are those of deploy/images/bases.lock, and Google's build of Prometheus."
  type = object({
    api           = string
    worker        = string
    node_exporter = optional(string, "prom/node-exporter:v1.11.1@sha256:e9cff4fc67b1818f8c97adb115b9f12c9a54b533de86765d4a0effc01b357205")
    dcgm_exporter = optional(string, "nvcr.io/nvidia/k8s/dcgm-exporter:4.5.3-4.8.2-distroless@sha256:60d3b00ac80b4ae77f94dae2f943685605585ad9e92fdccda3154d009ae317cc")
    prometheus    = optional(string, "gke.gcr.io/prometheus-engine/prometheus:v2.53.5-gmp.9-gke.0")
    grafana       = optional(string, "grafana/grafana:13.1.0@sha256:121a7a9ece6dc10b969f1f96eed64b4f07dfac0d0b8abc070f7cb83bbde86f63")
    postgres      = optional(string, "postgres:18@sha256:4ef4dbc939d61acea57712655ddb4b4ab27419c913f94cca0cd57cb3ea3c2280")
    valkey        = optional(string, "valkey/valkey:9@sha256:8e8d64b405ce18f41b8e5ee20aa4687a8ed0022d1298f2ce31cdcf3a76e09411")
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

variable "hf_token_secret" {
  description = "Id of a secret in Secret Manager with a token of the Hugging Face hub, for models behind a licence; empty: none."
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
