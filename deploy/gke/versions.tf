# 1.11 introduced write-only arguments, which keep secrets out of the state.
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
