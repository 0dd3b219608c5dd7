"""Metrics of lost workers."""

from __future__ import annotations

from prometheus_client import Counter

WORKERS_LOST = Counter("til_workers_lost_total", "Workers whose lease ended without a release.")
LEASE_RESCUES = Counter("til_lease_rescues_total", "Jobs that were rescued from lost workers.")
