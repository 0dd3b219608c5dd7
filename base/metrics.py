"""Metrics of more than one kind of process."""

from __future__ import annotations

from prometheus_client import Counter

FINISHED = Counter("til_jobs_finished_total", "Jobs that this process ended.", ["status"])
