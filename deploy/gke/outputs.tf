output "address" {
  description = "IP address for the domain's A record."
  value       = module.edge.address.address
}

output "registry" {
  description = "Registry for deploy/images/build.sh."
  value       = local.registry
}

output "weights" {
  description = "URL of the bucket for weights."
  value       = google_storage_bucket.weights.url
}

output "database_instance" {
  description = "Name of the Cloud SQL instance."
  value       = module.data.database_instance
}

output "secrets" {
  description = "Secret Manager ids by name, no values."
  value       = module.data.secrets
}

output "credentials" {
  description = "Command that configures kubectl and helm for the cluster."
  value       = "gcloud container clusters get-credentials ${google_container_cluster.main.name} --location ${var.region} --project ${var.project} --dns-endpoint"
}

output "driver_daemonset" {
  description = "Command that installs the GPU driver if gpu.driver is daemonset; else null."
  value       = var.gpu.driver == "daemonset" ? "kubectl apply -f https://raw.githubusercontent.com/GoogleCloudPlatform/container-engine-accelerators/master/nvidia-driver-installer/cos/daemonset-preloaded.yaml" : null
}

output "helm_values" {
  description = "Values file for the chart, with the names of this cluster's resources. It contains no secrets."
  value       = yamlencode(local.helm_values)
}
