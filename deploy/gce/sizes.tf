# Sizes. The defaults suit a small production with 30 concurrent jobs per L4.

variable "api" {
  description = "VMs of the api (topology split). environment: further settings of api and steward (docs/operate.md)."
  type = object({
    machine_type = optional(string, "e2-standard-2")
    min          = optional(number, 2)
    max          = optional(number, 4)
    boot_seconds = optional(number, 120)
    environment  = optional(map(string), {})
  })
  default = {}
}

variable "worker" {
  description = <<-TEXT
    VMs with a GPU. boot_seconds: from the creation of a VM to the loaded model, as measured (README). schedules: more
    VMs than `min` at certain times. environment: further settings (docs/operate.md).
  TEXT
  type = object({
    machine_type  = optional(string, "g2-standard-8")
    disk_gb       = optional(number, 100)
    model         = optional(string, "default")
    min           = optional(number, 0)
    max           = optional(number, 4)
    spot          = optional(bool, false)
    boot_seconds  = optional(number, 600)
    drain_seconds = optional(number, 20)
    gpu_driver    = optional(string, "default")
    environment   = optional(map(string), { TIL_PROFILE = "l4-gemma-3-12b" })
    scale_in = optional(object({
      machines = optional(number, 1)
      seconds  = optional(number, 600)
    }), {})
    schedules = optional(map(object({
      schedule  = string
      seconds   = number
      min       = number
      time_zone = string
    })), {})
  })
  default = {}

  validation {
    condition     = var.worker.drain_seconds <= 24
    error_message = "A preempted VM is stopped after 30 s: drain_seconds must be at most 24."
  }
  validation {
    condition     = var.topology == "split" || var.worker.min >= 1
    error_message = "With topology together, a group without VMs has no api: worker.min must be at least 1."
  }
  validation {
    condition     = var.topology == "split" || !var.worker.spot
    error_message = "With topology together, a preemption would remove an api: spot must be false."
  }
  validation {
    condition     = var.worker.boot_seconds * 2 <= 3600
    error_message = "Autohealing waits for at most an hour: boot_seconds must be at most 1800, e.g. with the weights in the image."
  }
}

variable "data" {
  description = "managed: Cloud SQL and Memorystore; vm: PostgreSQL and Valkey on one VM, for trials."
  type = object({
    kind                  = optional(string, "managed")
    postgres_version      = optional(string, "POSTGRES_17")
    postgres_tier         = optional(string, "db-custom-2-7680")
    postgres_disk_gb      = optional(number, 50)
    postgres_availability = optional(string, "REGIONAL")
    log_days              = optional(number, 7)
    backups               = optional(number, 14)
    redis_tier            = optional(string, "STANDARD_HA")
    redis_gb              = optional(number, 1)
    machine_type          = optional(string, "e2-standard-2")
    password_version      = optional(number, 1)
  })
  default = {}

  validation {
    condition     = contains(["managed", "vm"], var.data.kind)
    error_message = "managed or vm."
  }
}

variable "balancer" {
  description = <<-TEXT
    stream_seconds: longest response. A long poll takes up to 60 s, a run up to 600 s by default, an event stream both.
    requests_per_minute: limit for each client address; a backend has few addresses.
  TEXT
  type = object({
    stream_seconds      = optional(number, 3600)
    drain_seconds       = optional(number, 90)
    requests_per_minute = optional(number, 6000)
  })
  default = {}

  validation {
    condition     = var.balancer.stream_seconds > 660
    error_message = "stream_seconds must be more than a long poll (60 s) and a run (600 s)."
  }
  validation {
    condition     = var.balancer.drain_seconds > 60
    error_message = "drain_seconds must be more than the longest long poll, 60 s."
  }
}

variable "monitoring_machine_type" {
  description = "Machine type of Prometheus and Flower."
  type        = string
  default     = "e2-small"
}
