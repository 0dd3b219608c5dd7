"""The figures as metrics, the same from every api and steward. What is stale is left out, never a 0."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from capacity.queue_depth import QueueDepth

STALE_SECONDS = 30.0
"""A scaler that reads an empty answer keeps what it has; one that reads figures of half an hour ago does not.
Shorter gaps, as when a steward is started anew, leave no hole in the series."""


class Exported(Collector):
    """What Prometheus reads of the figures that were shown last.

    `seconds`: a clock that only goes forward; figures age by it between two reads of the database.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._figures: QueueDepth | None = None
        self._written_at = -math.inf

    def show(self, figures: QueueDepth) -> None:
        """Export these from now on; figures that no steward has ever written are none."""
        if figures.at is None:
            return
        self._figures, self._written_at = figures, self._seconds() - max(0.0, figures.age_seconds)

    @property
    def age_seconds(self) -> float:
        """How old the figures are; infinitely, where there are none."""
        return self._seconds() - self._written_at

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: which series there are depends on the figures."""
        return []

    def collect(self) -> Iterable[Metric]:
        """One series for each model; the ages of the figures only, once they are stale."""
        age, figures = self.age_seconds, self._figures
        yield GaugeMetricFamily("til_queue_figures_age_seconds", "Age of the queue's figures.", value=age)
        if figures is None or age > STALE_SECONDS:
            return
        yield GaugeMetricFamily("til_slots", "Slots of live workers.", value=figures.slots)
        yield GaugeMetricFamily("til_workers", "Live workers.", value=figures.workers)
        yield from _by_model(figures)
        if figures.scaled_at and age + (figures.at - figures.scaled_at).total_seconds() <= STALE_SECONDS:
            yield _desired(figures)


def _by_model(figures: QueueDepth) -> Iterable[Metric]:
    jobs = GaugeMetricFamily("til_jobs", "Jobs by model and state.", labels=["model", "state"])
    oldest = GaugeMetricFamily("til_oldest_queued_seconds", "Age of the oldest queued job.", labels=["model"])
    slots = GaugeMetricFamily("til_model_slots", "Slots of live workers that serve it.", labels=["model"])
    for model in sorted({*figures.models, *figures.scaling}):
        depth = figures.of(model)
        jobs.add_metric([model, "queued"], depth.queued)
        jobs.add_metric([model, "running"], depth.running)
        oldest.add_metric([model], depth.oldest_queued_seconds)
        slots.add_metric([model], depth.slots)
    yield from (jobs, oldest, slots)


def _desired(figures: QueueDepth) -> Metric:
    desired = GaugeMetricFamily("til_workers_desired", "Workers that the load asks for.", labels=["model"])
    for model, one in figures.scaling.items():
        desired.add_metric([model], one["desired"])
    return desired


EXPORTED = Exported()
REGISTRY.register(EXPORTED)
