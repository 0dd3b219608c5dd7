"""The targets and job names that a real Prometheus derives from the pods of a cluster with gke.yml."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.monitoring.files import load
from tests.monitoring.programs import MONITORING
from tests.monitoring.server import Prometheus

NAME, INSTANCE, COMPONENT = (f"label_app_kubernetes_io_{one}" for one in ("name", "instance", "component"))
CHART = {NAME: "til-queue", INSTANCE: "prod", "namespace": "til"}
PODS = [
    CHART | {COMPONENT: "api", "container_port_name": "http", "name": "api-a"},
    CHART | {COMPONENT: "api", "container_port_name": "metrics", "name": "api-a"},
    CHART | {COMPONENT: "worker", "container_port_name": "metrics", "name": "worker-a", "phase": "Pending"},
    CHART | {COMPONENT: "worker", "container_port_name": "triton", "name": "worker-a"},
    CHART | {COMPONENT: "migrate", "container_port_name": "metrics", "name": "old", "phase": "Succeeded"},
    CHART | {COMPONENT: "flower", "container_port_name": "http", "name": "flower-a"},
    {NAME: "dcgm-exporter", "container_port_number": "9400", "node_name": "gpu-1", "name": "dcgm"},
    {NAME: "prometheus-node-exporter", "container_port_number": "9100", "node_name": "gpu-1", "name": "node"},
    {NAME: "kube-state-metrics", "container_port_number": "8080", "name": "state"},
    {NAME: "somebody-else", "container_port_name": "metrics", "container_port_number": "9100", "name": "x"},
]
"""Discovered pods, one for each container port; label names without the prefix __meta_kubernetes_pod_."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def discovered() -> list[dict[str, Any]]:
    """The pods as static targets with unused addresses."""
    return [
        {
            "targets": [f"127.0.0.1:{n + 1}"],
            "labels": {
                "__meta_kubernetes_namespace" if key == "namespace" else f"__meta_kubernetes_pod_{key}": value
                for key, value in pod.items()
            },
        }
        for n, pod in enumerate(PODS)
    ]


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    config = load(MONITORING / "prometheus" / "gke.yml")
    del config["alerting"], config["rule_files"]
    jobs = config["scrape_configs"]
    config["scrape_configs"] = [job for job in jobs if job.pop("kubernetes_sd_configs", None)]
    for job in config["scrape_configs"]:
        job["static_configs"] = discovered()
    server = Prometheus(config, free_port(), tmp_path)
    yield server
    server.stop()


def found(prometheus: Prometheus) -> list[dict[str, str]]:
    """The labels of all active targets."""
    deadline = time.monotonic() + 20
    while not (active := prometheus.get("targets", state="active")["activeTargets"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return [target["labels"] for target in active]


def test_pods_with_metrics_ports_and_exporters_are_scraped_once(
    prometheus: Prometheus,
) -> None:
    labels = found(prometheus)
    assert sorted(one["job"] for one in labels) == [
        "gpu",
        "kube-state-metrics",
        "node",
        "prod-api",
        "prod-worker",
        "triton",
    ]
    by_job = {one["job"]: one for one in labels}
    assert (by_job["prod-worker"]["namespace"], by_job["prod-worker"]["pod"]) == ("til", "worker-a")
    assert {job for job, one in by_job.items() if "app" in one} == {"prod-api", "prod-worker"}
    assert by_job["prod-api"]["app"] == by_job["prod-worker"]["app"] == "til-queue"
    assert by_job["gpu"]["instance"] == by_job["node"]["instance"] == "gpu-1"
