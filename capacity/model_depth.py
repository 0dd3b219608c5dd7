"""The queue depth of one model, whose jobs run only on the workers that serve it. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COUNTS = ("queued", "running", "workers", "slots", "later")


@dataclass(frozen=True)
class ModelDepth:
    """Jobs of a model, and the live workers that serve it. `mean_run_seconds`: None before the first run.

    `later`: the part of `queued` whose `not_before` is further away than a cold start takes.
    `tokens_per_job`: the mean of the first 200 that wait for a slot. `workers_failing`: workers of this model
    die without finishing a job.
    """

    queued: int = 0
    running: int = 0
    workers: int = 0
    slots: int = 0
    oldest_queued_seconds: float = 0.0
    mean_run_seconds: float | None = None
    later: int = 0
    tokens_per_job: float | None = None
    workers_failing: bool = False

    @property
    def due(self) -> int:
        """Queued jobs that a worker could claim if it were started now."""
        return max(0, self.queued - self.later)

    @classmethod
    def read(
        cls, stored: Mapping[str, Any], at: datetime.datetime, mean: float | None, failing: bool = False
    ) -> ModelDepth:
        """Parse the model's entry in `figures.models`, which was written at `at`.

        `mean`: mean seconds of a run over all models, used if the model has none of its own. `failing`: the
        value of `workers_failing`.
        """
        oldest = stored.get("oldest_queued_at")
        age = (at - datetime.datetime.fromisoformat(oldest)).total_seconds() if oldest else 0.0
        counts = {name: stored.get(name) or 0 for name in COUNTS}
        own = stored.get("mean_run_seconds")
        return cls(
            **counts,
            oldest_queued_seconds=max(0.0, age),
            mean_run_seconds=mean if own is None else own,
            tokens_per_job=stored.get("tokens_per_job"),
            workers_failing=failing,
        )
