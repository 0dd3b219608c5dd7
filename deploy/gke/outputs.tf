output "address" {
  description = "Address that the domain has to point to."
  value       = google_compute_global_address.main.address
}

output "registry" {
  description = "Where deploy/images/build.sh pushes to."
  value       = local.registry
}

output "weights" {
  description = "Bucket of the weights."
  value       = google_storage_bucket.weights.url
}

output "database_instance" {
  description = "Name of the Cloud SQL instance."
  value       = module.data.database_instance
}

output "secrets" {
  description = "Ids of the secrets, never their values, by name."
  value       = module.data.secrets
}

output "credentials" {
  description = "The command that lets kubectl and helm reach the cluster."
  value       = "gcloud container clusters get-credentials ${google_container_cluster.main.name} --location ${var.region} --project ${var.project} --dns-endpoint"
}

output "driver_daemonset" {
  description = "The command that installs the GPU driver, where gpu.driver is daemonset; else null."
  value       = var.gpu.driver == "daemonset" ? "kubectl apply -f https://raw.githubusercontent.com/GoogleCloudPlatform/container-engine-accelerators/master/nvidia-driver-installer/cos/daemonset-preloaded.yaml" : null
}

output "helm_values" {
  description = "What the chart has to know of all this; a values file. It holds names, no secrets."
  value       = yamlencode(local.helm_values)
}
