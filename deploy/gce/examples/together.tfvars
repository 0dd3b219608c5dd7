# Two L4 VMs behind the load balancer, each with api, steward and worker; the weights are in the image.
project     = "my-project"
region      = "asia-northeast3"
zones       = ["asia-northeast3-a", "asia-northeast3-b"]
domain      = "til.example.com"
dns_zone    = "example-com"
repository  = "til-queue"
topology    = "together"
alert_email = "operators@example.com"

images = {
  api    = "asia-northeast3-docker.pkg.dev/my-project/til-queue/til-queue-api:0.1.0"
  worker = "asia-northeast3-docker.pkg.dev/my-project/til-queue/til-queue-worker:0.1.0-weights"
}

worker = {
  min     = 2
  max     = 2
  disk_gb = 150
}
