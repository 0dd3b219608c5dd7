# A fixed pool of two to three L4 nodes; drivers installed by hand; stable release channel.
project         = "my-project"
region          = "europe-west4"
zones           = ["europe-west4-a", "europe-west4-b"]
domain          = "til.example.com"
release_channel = "STABLE"

gpu = {
  driver = "daemonset"
}

gpu_pool = {
  min = 2
  max = 3
}

auto_provisioning = {
  gpus = 0
}
