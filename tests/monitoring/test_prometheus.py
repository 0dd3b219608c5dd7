"""A real Prometheus scrapes running processes: targets, rules, the scaling signal, dashboard queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.local.valkey import free_port
from tests.monitoring.named import WITH_VLLM, dashboard_expressions
from tests.monitoring.programs import run
from tests.monitoring.server import Prometheus, configuration
from tests.stack.processes import Process, Stack, day, until

DESIRED = 'max(til_workers_desired{model="default"})'
"""The autoscalers' query."""
Watch = Callable[[dict[str, Process]], Prometheus]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Starts a Prometheus that scrapes these processes, by job name."""
    started: list[Prometheus] = []

    def start(processes: dict[str, Process]) -> Prometheus:
        targets = {name: [f"127.0.0.1:{process.metrics_port}"] for name, process in processes.items()}
        folder = tmp_path / "prometheus"
        started.append(Prometheus(configuration("compose.yml", targets, folder), free_port(), folder))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def processes_of(stack: Stack, **engine: str) -> dict[str, Process]:
    return {"api": stack.api(), "steward": stack.steward(), "worker": stack.worker(**engine)}


def all_rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]


def active(prometheus: Prometheus) -> set[str]:
    """The alerts that are pending or firing."""
    return {rule["name"] for rule in all_rules(prometheus) if rule.get("state", "inactive") != "inactive"}


def up(prometheus: Prometheus) -> dict[str, float]:
    return {labels["job"]: value for labels, value in prometheus.ask("up")}


def test_targets_are_up_all_rules_are_evaluated_and_the_signal_is_there(stack: Stack, watch: Watch) -> None:
    prometheus = watch(processes_of(stack))
    until(lambda: up(prometheus) == {"api": 1, "steward": 1, "worker": 1})
    until(lambda: [value for _, value in prometheus.ask(DESIRED)] == [0])
    rules = until(lambda: _evaluated(all_rules(prometheus)), 90, 0.5)
    assert {rule["health"] for rule in rules} == {"ok"}
    # Before the first scrape the signal is absent.
    until(lambda: active(prometheus) == set())
    ((labels, value),) = until(lambda: prometheus.ask("model:til_workers_desired:max"), 40)
    assert (labels["model"], value) == ("default", 0)


def _evaluated(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rules if all(rule["health"] != "unknown" for rule in rules) else []


def test_the_signal_rises_with_the_queue_and_is_absent_not_zero_without_exporters(
    stack: Stack, watch: Watch
) -> None:
    processes = {"api": stack.api(), "steward": stack.steward()}
    prometheus = watch(processes)
    until(lambda: prometheus.ask(DESIRED))
    with stack.client() as client:
        for _ in range(3):
            assert client.post("/v1/til", json=day()).status_code == 202
    until(lambda: prometheus.ask(DESIRED)[0][1] >= 1)
    until(lambda: prometheus.ask('sum(model_state:til_jobs:max{state="queued"})') == [({}, 3)], 40)
    for process in processes.values():
        process.stop()
    until(lambda: up(prometheus) == {"api": 0, "steward": 0})
    assert prometheus.ask(DESIRED) == []
    until(lambda: active(prometheus) >= {"TilScalingSignalAbsent", "TilTargetDown"}, 40)


def test_every_dashboard_query_returns_data(
    stack: Stack, watch: Watch, openai_engine: dict[str, str]
) -> None:
    prometheus = watch(processes_of(stack, **openai_engine))
    with stack.client() as client:
        job = client.post("/v1/til", json=day(), headers={"Prefer": "wait=20"}).json()
        assert job["status"] == "succeeded"
    until(lambda: prometheus.ask('til_jobs_finished_total{status="succeeded"} > 0'))
    until(lambda: prometheus.ask("model:til_workers_desired:max"), 40)
    expressions = list(dashboard_expressions())
    ours = {one for one in expressions if "til_" in one and "[" not in one and one not in WITH_VLLM}
    assert len(expressions) > 50
    assert ours
    for expression in expressions:
        prometheus.ask(expression)
    for expression in ours:  # A scrape that comes late under load has no series for a moment.
        until(partial(prometheus.ask, expression), 40)


def test_promtool_accepts_the_exported_metrics(stack: Stack) -> None:
    for process in processes_of(stack).values():
        ours = [line for line in process.metrics().splitlines() if " til_" in line or line.startswith("til_")]
        assert len(ours) > 10
        assert run("promtool", "check", "metrics", stdin="\n".join(ours) + "\n") == ""
