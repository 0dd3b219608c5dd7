variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region of the cluster, the database and the images."
  type        = string
}

variable "zones" {
  description = "Zones of the region that offer the workers' GPU; nodes are in these only."
  type        = list(string)

  validation {
    condition     = length(var.zones) > 1
    error_message = "Two zones or more: api and steward run on when one fails."
  }
}

variable "name" {
  description = "Prefix of every resource's name. Another than that of deploy/gce in the same project."
  type        = string
  default     = "til-gke"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "3 to 20 small letters, digits and dashes, a letter first."
  }
}

variable "namespace" {
  description = "Kubernetes namespace that the chart is installed into."
  type        = string
  default     = "til"
}

variable "release" {
  description = "Name of the Helm release; service accounts of Kubernetes are named after it."
  type        = string
  default     = "til-queue"

  validation {
    condition     = strcontains(var.release, "til-queue")
    error_message = "A release whose name lacks til-queue gets it added by the chart: name it so that it has it."
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

variable "ranges" {
  description = "Addresses of nodes, pods, services and the control plane, in CIDR notation."
  type = object({
    nodes         = optional(string, "10.40.0.0/20")
    pods          = optional(string, "10.44.0.0/16")
    services      = optional(string, "10.45.0.0/20")
    control_plane = optional(string, "172.16.0.32/28")
  })
  default = {}
}

variable "operators" {
  description = "Networks that may reach the control plane by its private address, by name. All others use its DNS name and IAM."
  type        = map(string)
  default     = {}
}

variable "release_channel" {
  description = "RAPID, REGULAR or STABLE. An HPA to zero needs GKE 1.37."
  type        = string
  default     = "REGULAR"

  validation {
    condition     = contains(["RAPID", "REGULAR", "STABLE"], var.release_channel)
    error_message = "RAPID, REGULAR or STABLE."
  }
}

variable "maintenance" {
  description = "When GKE may upgrade: the first such time, and how it recurs (RFC 5545)."
  type = object({
    start      = optional(string, "2026-01-03T16:00:00Z")
    end        = optional(string, "2026-01-03T22:00:00Z")
    recurrence = optional(string, "FREQ=WEEKLY;BYDAY=SA,SU")
  })
  default = {}
}

variable "services_pool" {
  description = "Nodes of api, steward, Flower and KEDA: machine type, and how many in all zones together."
  type = object({
    machine_type = optional(string, "e2-standard-4")
    min          = optional(number, 2)
    max          = optional(number, 6)
  })
  default = {}
}

variable "gpu" {
  description = "The workers' GPU. driver: default or latest of GKE, or daemonset (installed by hand)."
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
  description = "A pool of GPU nodes of its own, which scales between these; max 0: none, the ComputeClass makes nodes."
  type = object({
    min  = optional(number, 0)
    max  = optional(number, 0)
    spot = optional(bool, false)
  })
  default = {}
}

variable "auto_provisioning" {
  description = "What GKE may create by itself, in all: the most that a ComputeClass can cost. gpus 0: no ComputeClass."
  type = object({
    cpu       = optional(number, 96)
    memory_gb = optional(number, 384)
    gpus      = optional(number, 8)
  })
  default = {}
}

variable "data" {
  description = "Cloud SQL and Memorystore, as modules/data of deploy/gce describes them."
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
  description = "Who is told when the address does not answer or its certificate ends; empty: nobody, both are in the console."
  type        = string
  default     = ""
}

variable "requests_per_minute" {
  description = "Requests of one client address in a minute; more are answered 429."
  type        = number
  default     = 1200
}

variable "scaler" {
  description = "Who reads the scaling figure: KEDA's operator, or ns/custom-metrics/sa/custom-metrics-stackdriver-adapter."
  type        = string
  default     = "ns/keda/sa/keda-operator"
}

variable "labels" {
  description = "Labels of every resource that can have some."
  type        = map(string)
  default     = {}
}

variable "protected" {
  description = "Whether Terraform refuses to delete the cluster and what holds data."
  type        = bool
  default     = true
}
