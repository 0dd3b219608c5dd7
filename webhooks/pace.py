"""How often a job's progress is told by webhook. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

EVERY_SECONDS = 0.5


class Pace:
    """At most once in half a second for each job; of what comes meanwhile the latest is kept."""

    def __init__(self) -> None:
        self._kept: dict[uuid.UUID, dict[str, Any]] = {}
        self._told_at: dict[uuid.UUID, float] = {}

    def next(self, come: Mapping[uuid.UUID, dict[str, Any]], now: float) -> dict[uuid.UUID, dict[str, Any]]:
        """What to tell now (seconds on any steady clock), by job."""
        self._kept |= come
        self._told_at = {job: at for job, at in self._told_at.items() if now - at < EVERY_SECONDS}
        ready = {job: self._kept.pop(job) for job in list(self._kept) if job not in self._told_at}
        self._told_at |= dict.fromkeys(ready, now)
        return ready
