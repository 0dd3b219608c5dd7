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

variable "groups" {
  description = "Instance groups that run the api, by name."
  type        = map(string)
}

variable "port" {
  description = "Port of the api."
  type        = number
}

variable "stream_seconds" {
  description = "Timeout of a response, event streams included; a client resumes a stream with Last-Event-ID."
  type        = number
}

variable "drain_seconds" {
  description = "Connection draining: time that a removed VM has to finish its requests."
  type        = number
}

variable "requests_per_minute" {
  description = "Limit of requests per minute for each client address; more get 429."
  type        = number
}
