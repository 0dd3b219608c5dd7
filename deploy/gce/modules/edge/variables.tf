variable "name" {
  description = "Prefix of all resource names."
  type        = string
}

variable "domain" {
  description = "Domain name of the api, e.g. til.example.com."
  type        = string
}

variable "dns_zone" {
  description = "Name of the Cloud DNS zone of the domain; empty: create its A record elsewhere."
  type        = string
}

variable "requests_per_minute" {
  description = "Limit of requests per minute for each client address; more get 429."
  type        = number
}
