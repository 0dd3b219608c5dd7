"""The expected wait of a job depends only on the workers of its model."""

from __future__ import annotations

import datetime

from capacity.queue_depth import QueueDepth
from capacity.wait import estimate

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SMALL = {"queued": 40, "running": 4, "workers": 1, "slots": 4, "mean_run_seconds": 10.0}


def depth(**models: object) -> QueueDepth:
    """Figures with 100 slots in total."""
    totals = {"queued": 50, "running": 4, "workers": 9, "slots": 100, "mean_run_seconds": 60.0}
    return QueueDepth(id=1, at=NOW, models=models, scaling={}, **totals)


def test_the_slots_of_other_models_do_not_shorten_the_wait() -> None:
    assert estimate(8, depth(small=SMALL).of("small")) == {"low_seconds": 10, "high_seconds": 45}


def test_without_a_worker_for_the_model_there_is_no_estimate() -> None:
    assert estimate(1, depth(small=SMALL).of("large")) is None


def test_before_a_model_has_run_a_job_the_mean_of_all_models_is_used() -> None:
    found = depth(small=SMALL | {"mean_run_seconds": None, "unknown": 1}).of("small")
    assert found.mean_run_seconds == 60


def test_figures_of_the_previous_version_are_used_for_every_model() -> None:
    assert estimate(1, depth().of("small")) == {"low_seconds": 0, "high_seconds": 90}
