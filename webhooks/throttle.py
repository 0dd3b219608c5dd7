"""Limits how often a job's progress is sent by webhook. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

EVERY_SECONDS = 0.5


class ProgressThrottle:
    """At most once every half second for each job; of what arrives meanwhile the latest is kept."""

    def __init__(self) -> None:
        self._waiting: dict[uuid.UUID, dict[str, Any]] = {}
        self._sent_at: dict[uuid.UUID, float] = {}

    def next(
        self, arrived: Mapping[uuid.UUID, dict[str, Any]], now: float
    ) -> dict[uuid.UUID, dict[str, Any]]:
        """The progress to send now, by job. `now`: seconds of a monotonic clock."""
        self._waiting |= arrived
        self._sent_at = {job: at for job, at in self._sent_at.items() if now - at < EVERY_SECONDS}
        due = {job: self._waiting.pop(job) for job in list(self._waiting) if job not in self._sent_at}
        self._sent_at |= dict.fromkeys(due, now)
        return due
