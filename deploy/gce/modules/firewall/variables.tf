variable "name" {
  description = "Prefix of all resource names."
  type        = string
}

variable "network" {
  description = "Id of the network."
  type        = string
}

variable "accounts" {
  description = "E-mail addresses of the service accounts, by role. Firewall rules select VMs by these, not by tags."
  type = object({
    api        = string
    worker     = string
    monitoring = string
    data       = string
  })
}

variable "ports" {
  description = "Ports on the VMs."
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
