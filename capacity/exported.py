"""The queue's figures as Prometheus metrics, in every api and steward. Stale series are left out, not 0."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from capacity.queue_depth import QueueDepth

STALE_SECONDS = 30.0
"""Older figures are not exported: an autoscaler keeps its replicas when the metric is missing, but acts on an
old value. The restart of a steward takes less, so it leaves no gap in the series."""


class Exported(Collector):
    """Collects the metrics from the figures that were passed to `update` last.

    `seconds`: a monotonic clock. The age of the figures grows by it between two reads of the database.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._figures: QueueDepth | None = None
        self._measured_at = -math.inf

    def update(self, figures: QueueDepth) -> None:
        """Export these figures from now on. Ignored if the row was never written: `at` is None then."""
        if figures.at is None:
            return
        self._figures, self._measured_at = figures, self._seconds() - max(0.0, figures.age_seconds)

    @property
    def age_seconds(self) -> float:
        """Age of the figures in seconds; infinite before the first `update`."""
        return self._seconds() - self._measured_at

    def describe(self) -> Iterable[Metric]:
        """No metrics at registration: the series depend on the figures."""
        return []

    def collect(self) -> Iterable[Metric]:
        """One series for each model. Stale figures: only their age."""
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
    slots = GaugeMetricFamily("til_model_slots", "Slots of live workers, by model.", labels=["model"])
    for model in sorted({*figures.models, *figures.scaling}):
        depth = figures.of(model)
        jobs.add_metric([model, "queued"], depth.queued)
        jobs.add_metric([model, "running"], depth.running)
        oldest.add_metric([model], depth.oldest_queued_seconds)
        slots.add_metric([model], depth.slots)
    yield from (jobs, oldest, slots)


def _desired(figures: QueueDepth) -> Metric:
    desired = GaugeMetricFamily("til_workers_desired", "Desired workers, for autoscalers.", labels=["model"])
    for model, state in figures.scaling.items():
        desired.add_metric([model], state["desired"])
    return desired


EXPORTED = Exported()
REGISTRY.register(EXPORTED)
