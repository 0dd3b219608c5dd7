"""The depth of the queue of one model: its jobs run on that model's workers only. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ModelDepth:
    """Jobs of a model, and the live workers that serve it. `mean_run_seconds`: None before any has run."""

    queued: int = 0
    running: int = 0
    workers: int = 0
    slots: int = 0
    oldest_queued_seconds: float = 0.0
    mean_run_seconds: float | None = None

    @classmethod
    def read(cls, stored: Mapping[str, Any], at: datetime.datetime, mean: float | None) -> ModelDepth:
        """From the model's entry in `figures.models`, which was written at `at`.

        `mean`: seconds of a run over all models, for a model that has none of its own.
        """
        oldest = stored.get("oldest_queued_at")
        age = (at - datetime.datetime.fromisoformat(oldest)).total_seconds() if oldest else 0.0
        counts = {name: stored.get(name) or 0 for name in ("queued", "running", "workers", "slots")}
        own = stored.get("mean_run_seconds")
        return cls(
            **counts, oldest_queued_seconds=max(0.0, age), mean_run_seconds=mean if own is None else own
        )
