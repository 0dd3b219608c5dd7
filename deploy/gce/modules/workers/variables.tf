variable "name" {
  description = "Prefix of every resource's name."
  type        = string
}

variable "group" {
  description = "Name of this group of workers: spot or standard."
  type        = string
}

variable "region" {
  description = "Region of the instance group."
  type        = string
}

variable "zones" {
  description = "Zones of the region that offer the GPU."
  type        = list(string)
}

variable "subnetwork" {
  description = "Subnet of the machines."
  type        = string
}

variable "account" {
  description = "E-mail address of the service account."
  type        = string
}

variable "image" {
  description = "Image of Container-Optimized OS."
  type        = string
}

variable "role" {
  description = "worker, or together where the api runs on the same machines."
  type        = string
}

variable "machine_type" {
  description = "Machine type with its GPU, e.g. g2-standard-8: one L4, 8 vCPUs, 32 GB."
  type        = string
}

variable "disk_gb" {
  description = "Boot disk in GB: the image, and weights that are downloaded."
  type        = number
}

variable "model" {
  description = "Model alias that these workers serve."
  type        = string
}

variable "signal" {
  description = "Which of the two series the autoscaler follows: first or fallback (scaling.rules.yml)."
  type        = string
}

variable "min" {
  description = "Machines at least, day and night. 0 lets the group end when til_workers_desired is 0."
  type        = number
}

variable "max" {
  description = "Machines at most; not more than the quota of GPUs."
  type        = number
}

variable "schedules" {
  description = "More machines at certain times: cron expression of the start, seconds, machines at least, time zone."
  type = map(object({
    schedule  = string
    seconds   = number
    min       = number
    time_zone = string
  }))
}

variable "boot_seconds" {
  description = "From the start of a machine to the loaded model, as measured: cooldown, and half of the initial delay."
  type        = number
}

variable "scale_in" {
  description = "At most so many machines fewer within so many seconds."
  type = object({
    machines = number
    seconds  = number
  })
}

variable "health_port" {
  description = "The worker's port of health and metrics."
  type        = number
}

variable "http_port" {
  description = "The api's port, where it runs on the same machines."
  type        = number
}

variable "migrate_seconds" {
  description = "How long a migration of the tables may take, where the api runs on the same machines; else 0."
  type        = number
}

variable "user_data" {
  description = "What cloud-init does."
  type        = string
}

variable "shutdown_script" {
  description = "What runs when the machine is told to stop."
  type        = string
}

variable "labels" {
  description = "Labels of the machines."
  type        = map(string)
}
