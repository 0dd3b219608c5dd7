"""Processes export every metric of ours that a rule, dashboard or runbook names, with these labels."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from base.states import ENDINGS
from tests.monitoring.labels import TIL, VLLM
from tests.monitoring.named import WITH_VLLM, in_runbooks, named, sampled_labels, series
from tests.stack.processes import Stack, day, until
from tests.stack.proxy import Proxy


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
    assert in_runbooks() <= told | WITH_VLLM, in_runbooks() - told
    _begin_at_zero(*(process.metrics() for process in processes))


def _begin_at_zero(api: str, steward: str, worker: str) -> None:
    """A series that begins at 1 has no increase: Prometheus would miss the first of each."""
    for status in ENDINGS:
        line = f'til_jobs_finished_total{{status="{status}"}} 0.0'
        assert all(line in metrics for metrics in (api, steward, worker))
    for outcome in ("delivered", "refused", "error"):
        assert f'til_webhook_deliveries_total{{outcome="{outcome}"}} 0.0' in steward


def test_each_series_has_the_labels_that_rules_and_dashboards_are_held_to(
    stack: Stack, proxy: Proxy, proxied_url: str, openai_engine: dict[str, str]
) -> None:
    assert set(TIL) == named("til_") - WITH_VLLM
    assert set(VLLM) == named("vllm:")
    steward = stack.steward(DATABASE_URL=proxied_url)
    processes = [stack.api(), steward, stack.worker(**openai_engine)]
    with stack.client() as client:
        job = client.post("/v1/til", json=day(), headers={"Prefer": "wait=20"}).json()
        assert job["status"] == "succeeded"
    proxy.shut()
    until(lambda: "til_loop_errors_total{" in steward.metrics())
    found = sampled_labels(*(process.metrics() for process in processes))
    assert {name: found.get(name) for name in TIL} == {name: {labels} for name, labels in TIL.items()}
