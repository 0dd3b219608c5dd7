output "address" {
  description = "IP address for the domain's A record."
  value       = module.edge.address.address
}
