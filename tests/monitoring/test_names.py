"""Every metric of ours that a rule, dashboard or runbook names is told by a process that runs, from 0 on."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from base.states import ENDINGS
from tests.monitoring.named import WITH_VLLM, in_runbooks, named, series
from tests.stack.processes import Stack, until


def test_rules_and_dashboards_ask_for_metrics_that_api_worker_and_steward_have(stack: Stack) -> None:
    processes = [stack.api(), stack.steward(), stack.worker()]
    until(lambda: all("til_workers_desired{" in process.metrics() for process in processes[:2]))
    told: set[str] = set()
    for process in processes:
        told |= series(text_string_to_metric_families(process.metrics()))
    asked = named("til_") - WITH_VLLM
    assert len(asked) > 25
    assert asked <= told, asked - told
    assert len(in_runbooks()) > 10
    assert in_runbooks() <= told, in_runbooks() - told
    _begin_at_zero(*(process.metrics() for process in processes))


def _begin_at_zero(api: str, steward: str, worker: str) -> None:
    """A series that begins at 1 has no increase: Prometheus would miss the first of each."""
    for status in ENDINGS:
        line = f'til_jobs_finished_total{{status="{status}"}} 0.0'
        assert all(line in metrics for metrics in (api, steward, worker))
    for outcome in ("delivered", "refused", "error"):
        assert f'til_webhook_deliveries_total{{outcome="{outcome}"}} 0.0' in steward
