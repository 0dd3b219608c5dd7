variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region of the cluster, the database and the registry."
  type        = string
}

variable "zones" {
  description = "Zones of the region that offer the workers' GPU. All nodes are in these zones."
  type        = list(string)

  validation {
    condition     = length(var.zones) > 1
    error_message = "At least two zones, so that api and steward survive the loss of one."
  }
}

variable "name" {
  description = "Prefix of all resource names. Must differ from that of deploy/gce in the same project."
  type        = string
  default     = "til-gke"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "3 to 20 lower-case letters, digits and dashes, beginning with a letter."
  }
}

variable "namespace" {
  description = "Kubernetes namespace that the chart is installed into."
  type        = string
  default     = "til"
}

variable "release" {
  description = "Name of the Helm release; the Kubernetes service accounts are named after it."
  type        = string
  default     = "til-queue"

  validation {
    condition     = strcontains(var.release, "til-queue")
    error_message = "The name must contain til-queue; otherwise the chart adds it to all names."
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

variable "ranges" {
  description = "CIDR ranges of nodes, pods, services and the control plane."
  type = object({
    nodes         = optional(string, "10.40.0.0/20")
    pods          = optional(string, "10.44.0.0/16")
    services      = optional(string, "10.45.0.0/20")
    control_plane = optional(string, "172.16.0.32/28")
  })
  default = {}
}

variable "operators" {
  description = "CIDR ranges that may use the control plane's private address, by name; others use DNS and IAM."
  type        = map(string)
  default     = {}
}

variable "release_channel" {
  description = "RAPID, REGULAR or STABLE. Scaling to zero by HPA needs GKE 1.37."
  type        = string
  default     = "REGULAR"

  validation {
    condition     = contains(["RAPID", "REGULAR", "STABLE"], var.release_channel)
    error_message = "RAPID, REGULAR or STABLE."
  }
}

variable "maintenance" {
  description = "Maintenance window for upgrades: first start and end, and recurrence (RFC 5545)."
  type = object({
    start      = optional(string, "2026-01-03T16:00:00Z")
    end        = optional(string, "2026-01-03T22:00:00Z")
    recurrence = optional(string, "FREQ=WEEKLY;BYDAY=SA,SU")
  })
  default = {}
}

variable "services_pool" {
  description = "Node pool of api, steward, Flower and KEDA: machine type and total number of nodes over all zones."
  type = object({
    machine_type = optional(string, "e2-standard-4")
    min          = optional(number, 2)
    max          = optional(number, 6)
  })
  default = {}
}

variable "gpu" {
  description = "The workers' GPU. driver: default or latest (installed by GKE), or daemonset (installed by hand)."
  type = object({
    type         = optional(string, "nvidia-l4")
    machine_type = optional(string, "g2-standard-8")
    driver       = optional(string, "latest")
    disk_gb      = optional(number, 100)
  })
  default = {}

  validation {
    condition     = contains(["default", "latest", "daemonset"], var.gpu.driver)
    error_message = "default, latest or daemonset."
  }
}

variable "gpu_pool" {
  description = "A GPU node pool that scales from min to max. max 0: no pool, nodes are created for the ComputeClass."
  type = object({
    min  = optional(number, 0)
    max  = optional(number, 0)
    spot = optional(bool, false)
  })
  default = {}
}

variable "auto_provisioning" {
  description = "Limits of node auto-provisioning, which cap the ComputeClass' cost. gpus 0: no ComputeClass."
  type = object({
    cpu       = optional(number, 96)
    memory_gb = optional(number, 384)
    gpus      = optional(number, 8)
  })
  default = {}
}

variable "data" {
  description = "Cloud SQL and Memorystore: see modules/data of deploy/gce."
  type = object({
    postgres_version      = optional(string, "POSTGRES_17")
    postgres_tier         = optional(string, "db-custom-2-7680")
    postgres_disk_gb      = optional(number, 50)
    postgres_availability = optional(string, "REGIONAL")
    log_days              = optional(number, 7)
    backups               = optional(number, 14)
    redis_gb              = optional(number, 1)
    redis_tier            = optional(string, "STANDARD_HA")
    password_version      = optional(number, 1)
  })
  default = {}
}

variable "email" {
  description = "Address for alerts about the api's availability and its certificate; empty: alerts are only in the console."
  type        = string
  default     = ""
}

variable "requests_per_minute" {
  description = "Limit of requests per minute for each client address; more get 429."
  type        = number
  default     = 1200
}

variable "scaler" {
  description = "Reader of the scaling metric: KEDA's operator, or ns/custom-metrics/sa/custom-metrics-stackdriver-adapter."
  type        = string
  default     = "ns/keda/sa/keda-operator"
}

variable "labels" {
  description = "Labels for all resources that support them."
  type        = map(string)
  default     = {}
}

variable "protected" {
  description = "Whether Terraform refuses to delete the cluster and resources that hold data."
  type        = bool
  default     = true
}
