"""The compose files: the schema, and rules that hold for every service."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "docker-compose.yml"
INCLUDED = [ROOT / "deploy" / "compose" / f"{name}.yml" for name in ("monitoring", "logging")]
MODELS = [YAML(typ="safe").load(path) for path in (COMPOSE, *INCLUDED)]
SERVICES: dict[str, dict[str, Any]] = {name: s for model in MODELS for name, s in model["services"].items()}
SECRETS: dict[str, dict[str, str]] = {
    name: secret for model in MODELS for name, secret in model.get("secrets", {}).items()
}
OURS = {"migrate", "api", "steward", "worker", "worker-gpu", "flower"}


def mounted(service: dict[str, Any]) -> set[str]:
    return {name if isinstance(name, str) else name["source"] for name in service.get("secrets", [])}


@pytest.mark.parametrize("path", [COMPOSE, *INCLUDED], ids=lambda path: path.name)
def test_the_file_is_valid_by_the_compose_schema(path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_main_file_includes_the_others_with_paths_relative_to_itself() -> None:
    assert [(ROOT / part["path"], part["project_directory"]) for part in MODELS[0]["include"]] == [
        (path, ".") for path in INCLUDED
    ]


def test_the_profiles_are_those_of_the_example() -> None:
    profiles: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for profile in service.get("profiles", ["always"]):
            profiles.setdefault(profile, set()).add(name)
    assert profiles == {
        "always": {"postgres", "redis", "migrate", "api", "proxy", "steward", "flower"},
        "cpu": {"worker"},
        "gpu": {"worker-gpu", "dcgm-exporter"},
        "monitoring": {"prometheus", "alertmanager", "grafana", "node-exporter"},
        "logging": {"elasticsearch", "filebeat", "kibana", "logging-setup"},
    }
    example = (ROOT / "deploy" / "compose.env.example").read_text()
    assert "\nCOMPOSE_PROFILES=cpu\n" in example
    assert "gpu,monitoring,logging" in example


def test_every_service_that_keeps_running_has_a_health_check_except_a_shellless_one() -> None:
    without = {name for name, service in SERVICES.items() if "healthcheck" not in service}
    assert without == {"migrate", "logging-setup", "dcgm-exporter"}


def test_every_service_has_limits_and_few_rights() -> None:
    writable = {name for name, service in SERVICES.items() if not service["read_only"]}
    assert writable == {"elasticsearch", "kibana"}
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"memory", "pids"} <= service["deploy"]["resources"]["limits"].keys(), name
        assert service["logging"]["options"]["max-size"], name
        assert "container_name" not in service, name
        assert "privileged" not in service, name
    assert {name for name, service in SERVICES.items() if "cap_add" in service} == {
        "postgres",
        "filebeat",
        "dcgm-exporter",
    }
    assert {name for name, service in SERVICES.items() if service.get("user") == "root"} == {"filebeat"}


def test_dependencies_wait_for_healthy_or_completed_services() -> None:
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            expected = "completed_successfully" if "healthcheck" not in SERVICES[other] else "healthy"
            assert wait["condition"] == f"service_{expected}", (name, other)
    for name in ("api", "steward", "worker", "worker-gpu"):
        assert SERVICES[name]["depends_on"].keys() == {"migrate", "redis"}


def test_ports_are_on_loopback_by_default_and_scaled_services_publish_none() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports.keys() == {"proxy", "flower", "prometheus", "alertmanager", "grafana", "kibana"}
    for name, published in ports.items():
        for port in published:
            assert re.fullmatch(r"\$\{[A-Z_]+_BIND:-127\.0\.0\.1\}:\$\{[A-Z_]+_PORT:-\d+\}:\d+", port), name


def test_the_databases_are_in_internal_networks() -> None:
    assert MODELS[0]["networks"]["data"] == {"internal": True}
    assert [SERVICES[name]["networks"] for name in ("postgres", "redis")] == [["data"], ["data"]]
    inside = {name for name, service in SERVICES.items() if "data" in service.get("networks", [])}
    assert inside == OURS | {"postgres", "redis"}
    assert SERVICES["elasticsearch"]["networks"] == ["logs"]


def test_the_grace_period_is_long_enough_for_a_clean_stop() -> None:
    def seconds(name: str) -> int:
        return int(SERVICES[name]["stop_grace_period"].removesuffix("s"))

    for name in ("worker", "worker-gpu"):
        assert seconds(name) > SERVICES[name]["environment"]["TIL_DRAIN_SECONDS"] + 10
    (timeout,) = re.findall(
        r"timeout_seconds: float = Field\(default=([\d.]+)", (ROOT / "webhooks" / "settings.py").read_text()
    )
    assert seconds("steward") > float(timeout) + 5
    assert seconds("api") >= 10
    (hard_stop,) = re.findall(r"hard-stop-after (\d+)s", (ROOT / "deploy/compose/haproxy.cfg").read_text())
    assert seconds("proxy") > int(hard_stop)


def test_the_timeouts_of_the_proxy_exceed_the_longest_long_poll() -> None:
    proxy = (ROOT / "deploy" / "compose" / "haproxy.cfg").read_text()
    times = dict(re.findall(r"timeout (client|server) (\d+)s", proxy))
    assert {int(time) > 60 for time in times.values()} == {True}
    assert "option httpchk GET /healthz" in proxy


def test_the_gpu_is_reserved() -> None:
    for name in ("worker-gpu", "dcgm-exporter"):
        (device,) = SERVICES[name]["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_data_is_in_named_volumes_and_other_mounts_are_read_only() -> None:
    named = {name for model in MODELS for name in model["volumes"]}
    used = set()
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, _, options = volume.partition(":")
            if source in named:
                used.add(source)
            else:
                assert options.endswith(":ro") or volume == "/:/host:ro", (name, volume)
                assert source.startswith(("./deploy/", "/")), (name, volume)
    assert used == named


def test_the_started_modules_exist() -> None:
    for service in SERVICES.values():
        match service.get("command"):
            case ["python3", "-m", module]:
                assert (ROOT / module / "__main__.py").exists()
