#!/bin/bash
# Formats the attached disk if it is new, and mounts it at /mnt/disks/data.
set -euo pipefail

disk=/dev/disk/by-id/google-data
blkid "$disk" >/dev/null || mkfs.ext4 -q -m 0 "$disk"
mkdir -p /mnt/disks/data
mountpoint -q /mnt/disks/data || mount -o discard,defaults "$disk" /mnt/disks/data
mkdir -p /mnt/disks/data/postgres
