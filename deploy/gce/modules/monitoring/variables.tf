variable "name" {
  description = "Prefix of all resource names."
  type        = string
}

variable "region" {
  description = "Region of the VM."
  type        = string
}

variable "zones" {
  description = "Zones in which the VM may run."
  type        = list(string)
}

variable "subnetwork" {
  description = "Subnet of the VM."
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
  description = "Machine type."
  type        = string
}

variable "port" {
  description = "Port of Prometheus."
  type        = number
}

variable "domain" {
  description = "Domain name of the api."
  type        = string
}

variable "model" {
  description = "Model alias that the workers serve."
  type        = string
}

variable "email" {
  description = "E-mail address for alerts; empty: alerts are shown in the console only."
  type        = string
}

variable "user_data" {
  description = "User data for cloud-init."
  type        = string
}

variable "labels" {
  description = "Labels of the VM."
  type        = map(string)
}
