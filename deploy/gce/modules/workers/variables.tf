variable "name" {
  description = "Prefix of all resource names."
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
  description = "Subnet of the VMs."
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
  description = "worker, or together if the api runs on the same VMs."
  type        = string
}

variable "machine_type" {
  description = "Machine type with its GPU, e.g. g2-standard-8: one L4, 8 vCPUs, 32 GB."
  type        = string
}

variable "disk_gb" {
  description = "Boot disk in GB, for the image and downloaded weights."
  type        = number
}

variable "model" {
  description = "Model alias that these workers serve."
  type        = string
}

variable "signal" {
  description = "Label `group` of the series that the autoscaler follows: first or fallback (scaling.rules.yml)."
  type        = string
}

variable "min" {
  description = "Minimum number of VMs. With 0 the group scales to zero when til_workers_desired is 0."
  type        = number
}

variable "max" {
  description = "Maximum number of VMs; at most the GPU quota."
  type        = number
}

variable "schedules" {
  description = "Higher minimums at certain times: cron expression of the start, seconds, minimum, time zone."
  type = map(object({
    schedule  = string
    seconds   = number
    min       = number
    time_zone = string
  }))
}

variable "boot_seconds" {
  description = "Measured seconds from the creation of a VM to the loaded model."
  type        = number
}

variable "scale_in" {
  description = "Scale-in removes at most `machines` VMs within `seconds`."
  type = object({
    machines = number
    seconds  = number
  })
}

variable "health_port" {
  description = "The worker's port for health and metrics."
  type        = number
}

variable "http_port" {
  description = "The api's port, if it runs on the same VMs."
  type        = number
}

variable "user_data" {
  description = "User data for cloud-init."
  type        = string
}

variable "shutdown_script" {
  description = "Script that runs when a VM is stopped."
  type        = string
}

variable "labels" {
  description = "Labels of the VMs."
  type        = map(string)
}
