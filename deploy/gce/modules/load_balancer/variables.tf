variable "name" {
  description = "Prefix of every resource's name."
  type        = string
}

variable "domain" {
  description = "Name that clients use, e.g. til.example.com."
  type        = string
}

variable "dns_zone" {
  description = "Name of the Cloud DNS zone that the domain lies in; empty: its A record is made elsewhere."
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
  description = "An answer, an event stream too, is cut off after so long; a client resumes it with Last-Event-ID."
  type        = number
}

variable "drain_seconds" {
  description = "A machine that leaves gets no new requests, and so long to answer those that it has."
  type        = number
}

variable "requests_per_minute" {
  description = "Requests of one client address in a minute; more are answered 429."
  type        = number
}
