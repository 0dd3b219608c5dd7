"""Metrics of more than one kind of process."""

from __future__ import annotations

from prometheus_client import Counter

from base.states import ENDINGS

FINISHED = Counter("til_jobs_finished_total", "Jobs that this process ended.", ["status"])
for ending in ENDINGS:
    FINISHED.labels(ending)  # A series that begins at 1 has no increase: Prometheus would miss the first.
