variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "domain" {
  description = "Domain name of the api."
  type        = string
}

variable "channels" {
  description = "Ids of the notification channels."
  type        = list(string)
}

variable "advice" {
  description = "What an operator does about each alert."
  type = object({
    unreachable = string
    certificate = string
  })
}
