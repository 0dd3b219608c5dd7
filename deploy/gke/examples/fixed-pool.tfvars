# Two L4 nodes that are always there, a third when needed; drivers by hand, on the control plane's stable channel.
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
