# GPU nodes for the chart's ComputeClass, spot first: at most eight L4s in three zones.
project  = "my-project"
region   = "europe-west4"
zones    = ["europe-west4-a", "europe-west4-b", "europe-west4-c"]
domain   = "til.example.com"
dns_zone = "example-com"
email    = "operators@example.com"

operators = {
  office = "192.0.2.0/24"
}
