# PostgreSQL and Valkey on one VM: cheap, for trials. The disk has hourly snapshots; there is no point-in-time recovery,
# no standby and no TLS.

locals {
  vm = var.kind == "vm" ? 1 : 0
}

resource "google_compute_address" "data" {
  count        = local.vm
  name         = "${var.name}-data"
  region       = var.region
  address_type = "INTERNAL"
  subnetwork   = var.machine.subnetwork
}

resource "google_compute_disk" "data" {
  # checkov:skip=CKV_GCP_37:encrypted with a key of Google; a customer-supplied key would be in the state
  count  = local.vm
  name   = "${var.name}-data"
  zone   = var.machine.zone
  type   = "pd-ssd"
  size   = var.settings.postgres_disk_gb
  labels = var.labels
}

resource "google_compute_resource_policy" "hourly" {
  count  = local.vm
  name   = "${var.name}-data"
  region = var.region

  snapshot_schedule_policy {
    schedule {
      hourly_schedule {
        hours_in_cycle = 1
        start_time     = "00:00"
      }
    }

    retention_policy {
      max_retention_days    = var.settings.log_days
      on_source_disk_delete = "KEEP_AUTO_SNAPSHOTS"
    }
  }
}

resource "google_compute_disk_resource_policy_attachment" "hourly" {
  count = local.vm
  name  = google_compute_resource_policy.hourly[0].name
  disk  = google_compute_disk.data[0].name
  zone  = var.machine.zone
}

resource "google_compute_instance" "data" {
  # checkov:skip=CKV_GCP_38:encrypted with a key of Google; a customer-supplied key would be in the state
  count                     = local.vm
  name                      = "${var.name}-data"
  zone                      = var.machine.zone
  machine_type              = var.machine.type
  deletion_protection       = var.protected
  allow_stopping_for_update = true
  labels                    = merge(var.labels, { til-role = "data" })

  boot_disk {
    initialize_params {
      image = var.machine.image
    }
  }

  attached_disk {
    source      = google_compute_disk.data[0].id
    device_name = "data"
  }

  network_interface {
    subnetwork = var.machine.subnetwork
    network_ip = google_compute_address.data[0].address
  }

  metadata = {
    user-data              = var.machine.user_data
    enable-oslogin         = "TRUE"
    block-project-ssh-keys = "TRUE"
    google-logging-enabled = "TRUE"
  }

  service_account {
    email  = var.accounts["data"]
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }
}
