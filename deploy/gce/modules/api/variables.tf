variable "name" {
  description = "Prefix of all resource names."
  type        = string
}

variable "region" {
  description = "Region of the instance group."
  type        = string
}

variable "zones" {
  description = "Zones of the instance group."
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

variable "machine_type" {
  description = "Machine type, without a GPU."
  type        = string
}

variable "min" {
  description = "Minimum number of VMs. At least two, so that one may fail."
  type        = number
}

variable "max" {
  description = "Maximum number of VMs."
  type        = number
}

variable "port" {
  description = "Port of the api."
  type        = number
}

variable "boot_seconds" {
  description = "Seconds from the creation of a VM to the first response of the api."
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
