# Write-only arguments, by which no secret gets into the state, came with Terraform 1.11.
terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  # terraform init -backend-config=bucket=<a private bucket with versions>
  backend "gcs" {
    prefix = "til-queue-gke"
  }
}

provider "google" {
  project = var.project
  region  = var.region
}
