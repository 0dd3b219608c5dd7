variable "name" {
  description = "Prefix of every resource's name."
  type        = string
}

variable "region" {
  description = "Region of the machine."
  type        = string
}

variable "zones" {
  description = "Zones in which the machine may run."
  type        = list(string)
}

variable "subnetwork" {
  description = "Subnet of the machine."
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
  description = "Name that clients use."
  type        = string
}

variable "model" {
  description = "Model alias that the workers serve."
  type        = string
}

variable "rules" {
  description = "Rule files of Prometheus, by file name: their alerts become alert policies."
  type        = map(string)
}

variable "email" {
  description = "Where alerts are sent; empty: nowhere, they are seen in the console only."
  type        = string
}

variable "user_data" {
  description = "What cloud-init does."
  type        = string
}

variable "labels" {
  description = "Labels of the machine."
  type        = map(string)
}
