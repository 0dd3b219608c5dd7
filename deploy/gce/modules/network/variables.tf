variable "name" {
  description = "Prefix of every resource's name."
  type        = string
}

variable "region" {
  description = "Region of the subnet and of Cloud NAT."
  type        = string
}

variable "range" {
  description = "Addresses of the virtual machines, in CIDR notation."
  type        = string
}

variable "accounts" {
  description = "E-mail addresses of the service accounts, by role. Firewall rules name roles by these, not by tags."
  type = object({
    api        = string
    worker     = string
    monitoring = string
    data       = string
  })
}

variable "ports" {
  description = "Ports on the virtual machines."
  type = object({
    http           = number
    api_metrics    = number
    worker_metrics = number
    steward        = number
    node           = number
    gpu            = number
    prometheus     = number
  })
}
