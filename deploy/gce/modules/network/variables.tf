variable "name" {
  description = "Prefix of all resource names."
  type        = string
}

variable "region" {
  description = "Region of the subnet and of Cloud NAT."
  type        = string
}

variable "range" {
  description = "CIDR range of the machines."
  type        = string
}

variable "secondary_ranges" {
  description = "CIDR ranges for a cluster's pods and services, by name."
  type        = map(string)
  default     = {}
}
