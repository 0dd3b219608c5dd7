variable "name" {
  description = "Prefix of every resource's name."
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

variable "machine_type" {
  description = "Machine type, without a GPU."
  type        = string
}

variable "min" {
  description = "Machines at least. Two, so that one may go."
  type        = number
}

variable "max" {
  description = "Machines at most."
  type        = number
}

variable "port" {
  description = "Port of the api."
  type        = number
}

variable "boot_seconds" {
  description = "From the start of a machine to the first answer of the api."
  type        = number
}

variable "migrate_seconds" {
  description = "How long a migration of the tables may take, which comes before the api."
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
