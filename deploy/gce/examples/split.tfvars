# Two small api VMs behind the load balancer; 0 to 4 L4 VMs, spot first, at least one in office hours.
project     = "my-project"
region      = "asia-northeast3"
zones       = ["asia-northeast3-a", "asia-northeast3-b"]
domain      = "til.example.com"
dns_zone    = "example-com"
repository  = "til-queue"
alert_email = "operators@example.com"

images = {
  api    = "asia-northeast3-docker.pkg.dev/my-project/til-queue/til-queue-api:0.1.0"
  worker = "asia-northeast3-docker.pkg.dev/my-project/til-queue/til-queue-worker:0.1.0"
}

model_bucket = "my-project-weights"

worker = {
  min  = 0
  max  = 4
  spot = true
  environment = {
    TIL_PROFILE = "l4-gemma-3-12b"
    TIL_MODEL   = "gs://my-project-weights/gemma-3-12b"
  }
  schedules = {
    office-hours = {
      schedule  = "0 9 * * MON-FRI"
      seconds   = 36000
      min       = 1
      time_zone = "Asia/Seoul"
    }
  }
}
