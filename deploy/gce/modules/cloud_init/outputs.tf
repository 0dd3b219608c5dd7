output "user_data" {
  description = "For the metadata key user-data."
  value       = local.user_data
}

output "shutdown_script" {
  description = "For the metadata key shutdown-script."
  value = templatefile("${path.module}/files/shutdown.sh.tftpl", {
    drain_seconds = var.worker.drain_seconds
    stop_seconds  = local.stop_seconds
  })
}
