"""Each process's port is one number: where it is published, scraped, probed and let in."""

from __future__ import annotations

import re
from typing import Any

import yaml  # type: ignore[import-untyped,unused-ignore]

from tests.deploy.gce import rendering
from tests.deploy.gce.planning import Plan

CONTAINERS = {
    "til-api": ("api", 9100),
    "til-steward": ("steward", 9100),
    "til-worker": ("worker", 9100),
    "til-dcgm": ("gpu", 9400),
}
"""The job that scrapes each container, and the port inside."""


def published(config: str) -> dict[str, dict[int, int]]:
    """The host's port of each port inside, by container."""
    found = {}
    for text in rendering.written(config).values():
        for line in re.findall(r"docker run (.+)", text):
            ports = re.findall(r"--publish (?:127\.0\.0\.1:)?(\d+):(\d+)", line)
            found[re.findall(r"--name (\S+)", line)[0]] = {int(inside): int(host) for host, inside in ports}
    return found


def scraped(config: str) -> dict[str, set[int]]:
    """The ports that Prometheus asks, by job."""
    prometheus = yaml.safe_load(rendering.written(config)["/etc/til/prometheus.yml"])
    return {
        job["job_name"]: {one["port"] for one in job["gce_sd_configs"]}
        for job in prometheus["scrape_configs"]
    }


def allowed(plan: Plan, rule: str) -> set[int]:
    values = plan.values(f"module.firewall.google_compute_firewall.{rule}")
    return {int(port) for one in values["allow"] for port in one["ports"]}


def probed(plan: Plan, module: str) -> int:
    [check] = plan.values(f"{module}.google_compute_health_check.main")["http_health_check"]
    return int(check["port"])


def test_what_is_scraped_is_published_and_let_in(rendered: dict[tuple[str, str], str], split: Plan) -> None:
    ports = published(rendered["terraform", "together"])
    jobs = scraped(rendered["terraform", "monitoring"])
    for container, (job, inside) in CONTAINERS.items():
        assert jobs[job] == {ports[container][inside]}, job
    common = rendering.written(rendered["terraform", "api"])
    [node] = jobs["node"]
    assert f"--web.listen-address=:{node}\n" in common["/etc/systemd/system/til-node.service"]
    assert f"--dport {node} " in common["/etc/systemd/system/til-node-port.service"]
    assert set[int]().union(*jobs.values()) == allowed(split, "metrics")


def test_what_is_probed_is_published_and_let_in(
    rendered: dict[tuple[str, str], str], split: Plan, together: Plan
) -> None:
    ports = published(rendered["terraform", "together"]) | published(rendered["terraform", "monitoring"])
    http, worker, prometheus = (
        ports["til-api"][8000],
        ports["til-worker"][9100],
        ports["til-prometheus"][9090],
    )
    assert {probed(split, "module.api[0]"), probed(split, "module.load_balancer")} == {http}
    assert {probed(split, f'module.workers["{group}"]') for group in ("spot", "standard")} == {worker}
    assert probed(split, "module.monitoring") == prometheus
    assert allowed(split, "balancer") == {http}
    assert allowed(split, "autohealing") == {worker, prometheus}
    group: dict[str, Any] = together.values(
        'module.workers["standard"].google_compute_region_instance_group_manager.main'
    )
    assert [port["port"] for port in group["named_port"]] == [http]


def test_processes_listen_on_the_ports_that_are_published(rendered: dict[tuple[str, str], str]) -> None:
    files = rendering.written(rendered["terraform", "together"])
    assert "TIL_API_PORT=8000\n" in files["/etc/til/api.env"]
    for name in ("api", "worker"):
        assert "TIL_METRICS_PORT=9100\n" in files[f"/etc/til/{name}.env"]
        assert "TIL_METRICS_HOST=0.0.0.0\n" in files[f"/etc/til/{name}.env"]
