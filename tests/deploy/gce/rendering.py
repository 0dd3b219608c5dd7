"""Renders the cloud-init templates, with a simple substitution and with Terraform itself."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped,unused-ignore]

from tests.deploy.gce.hcl import GCE, local_values

CLOUD_INIT = GCE / "modules" / "cloud_init"
PARTS = CLOUD_INIT / "parts"
FILES = CLOUD_INIT / "files"
PLACEHOLDER = re.compile(r"\$\{(?:indent\((\d+), )?(\w+)\)?\}")
IMAGES = ("api", "worker", "node_exporter", "dcgm_exporter", "prometheus", "grafana", "postgres", "valkey")
MACHINES = {
    "api": (["api"], ["database-url", "redis-url", "secret-keys"]),
    "worker": (["worker"], ["database-url", "redis-url"]),
    "together": (["api", "worker"], ["database-url", "redis-url", "secret-keys"]),
    "monitoring": (["monitoring"], ["redis-url", "flower-login"]),
    "data": (["data"], ["database-password", "redis-password"]),
}
"""Parts and secrets of each kind of VM; a test compares this with main.tf."""

PATIENCE_SECONDS = 600
MIGRATE_SECONDS = 1800
MONITORING = GCE.parent / "monitoring"
ZONES = ["asia-northeast3-a", "asia-northeast3-b"]


def used(template: Path) -> set[str]:
    """The names of a template's placeholders."""
    return {name for _, name in PLACEHOLDER.findall(template.read_text())}


def render(template: Path, values: dict[str, object]) -> str:
    """Replace `${name}` and `${indent(n, name)}` in a template. Raises KeyError."""
    text = template.read_text()
    assert "%{" not in text
    assert "${" not in PLACEHOLDER.sub("", text)

    def value(match: re.Match[str]) -> str:
        return str(values[match[2]]).replace("\n", "\n" + " " * int(match[1] or 0))

    return PLACEHOLDER.sub(value, text)


def scaling_rules() -> str:
    """The recording rules for the series that the autoscalers follow."""
    samples = int(PATIENCE_SECONDS / 15 * 0.8)
    values: dict[str, object] = {"patience_seconds": PATIENCE_SECONDS, "patience_samples": samples}
    return render(FILES / "scaling.rules.yml.tftpl", values)


def values() -> dict[str, object]:
    """Values for the parts: sample values in place of main.tf's, and the real scripts."""
    scripts = {
        f"{name}_script": _base64((FILES / f"{name}.sh").read_text())
        for name in ("secrets", "flower", "valkey", "disk")
    }
    names = local_values(CLOUD_INIT)["values"]
    stand_ins: dict[str, object] = {name: name for name in names}
    numbers = {
        "migrate_seconds": MIGRATE_SECONDS,
        "drain_seconds": 20,
        "stop_seconds": 23,
        "stop_limit_seconds": 26,
    }
    settings = {"api_environment": "A=1\nB=2", "worker_environment": ""}
    config = {"prometheus_config": _base64(prometheus_config()), "scaling_rules": _base64(scaling_rules())}
    tls = render(FILES / "tls.sh.tftpl", {"postgres_ca": _base64("PEM 1"), "redis_ca": _base64("PEM 2")})
    return stand_ins | numbers | settings | scripts | config | {"tls_script": _base64(tls)}


def prometheus_config() -> str:
    """The configuration of Prometheus, for two zones."""
    names = used(FILES / "prometheus.yml.tftpl")
    found = [
        {"project": "p", "zone": zone, "port": 9101, "filter": "labels.til-cluster = til"} for zone in ZONES
    ]
    given = {name: json.dumps(found) if name.startswith("discover_") else name for name in names}
    return render(FILES / "prometheus.yml.tftpl", dict(given))


def user_data(parts: list[str]) -> str:
    """The cloud-config of a VM that runs these parts."""
    files = "".join(render(PARTS / f"{part}.yaml.tftpl", values()) for part in ["common", *parts])
    files += "".join(
        f"- path: /etc/til/{path}\n  encoding: gz+b64\n  content: {_gzipped(text)}\n"
        for path, text in other_files(parts).items()
    )
    return render(FILES / "user-data.yaml.tftpl", {"files": files, "units": "til-node.service"})


def other_files(parts: list[str]) -> dict[str, str]:
    """What Prometheus, Grafana and dcgm-exporter read, by its path below /etc/til."""
    worker = {"dcgm-counters.csv": MONITORING / "dcgm" / "counters.csv"} if "worker" in parts else {}
    if "monitoring" not in parts:
        return {name: path.read_text() for name, path in worker.items()}
    rules = {f"rules/{path.name}": path for path in (MONITORING / "rules").glob("*.yml")}
    grafana = {str(path.relative_to(MONITORING)): path for path in (MONITORING / "grafana").rglob("*.*")}
    return {name: path.read_text() for name, path in sorted((worker | rules | grafana).items())}


def written(config: str) -> dict[str, str]:
    """The files that a cloud-config writes: contents by path."""
    files: list[dict[str, Any]] = yaml.safe_load(config)["write_files"]
    return {one["path"]: DECODED[one.get("encoding", "")](one["content"]) for one in files}


def by_terraform(folder: Path, parts: list[str], secrets: list[str]) -> dict[str, str]:
    """user_data and shutdown_script, rendered by Terraform; the module needs no provider."""
    shutil.copytree(CLOUD_INIT, folder / "cloud_init")
    given = {
        "parts": parts,
        "name": "til",
        "project": "my-project",
        "region": "asia-northeast3",
        "zones": ZONES,
        "secrets": {name: f"til-{name}" for name in secrets},
        "authorities": {"postgres": "PEM 1", "redis": "PEM 2"},
        "images": {name: f"images.example/{name}:1" for name in IMAGES},
        "registry": "asia-northeast3-docker.pkg.dev",
        "ports": local_values(GCE)["ports"],
        "api_environment": {"TIL_MODELS": "default"},
        "migrate_seconds": MIGRATE_SECONDS,
        "files": {name: text.replace("${", "$${") for name, text in other_files(parts).items()},
        "worker": {
            "model": "default",
            "drain_seconds": 20,
            "gpu_driver": "default",
            "environment": {"A": "1"},
        },
        "patience_seconds": PATIENCE_SECONDS,
    }
    main = {
        "module": {"it": {"source": "./cloud_init"} | given},
        "output": {name: {"value": f"${{module.it.{name}}}"} for name in ("user_data", "shutdown_script")},
    }
    (folder / "main.tf.json").write_text(json.dumps(main))
    for command in ("init -input=false", "apply -input=false -auto-approve"):
        terraform(folder, *command.split())
    found = json.loads(terraform(folder, "output", "-json"))
    return {name: one["value"] for name, one in found.items()}


def terraform(folder: Path, *arguments: str) -> str:
    """Run a Terraform command that must succeed, and return its output."""
    program = shutil.which("terraform")
    assert program is not None
    done = subprocess.run(
        [program, f"-chdir={folder}", *arguments, *(["-no-color"] if arguments[0] != "fmt" else [])],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _gzipped(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


DECODED: dict[str, Callable[[str], str]] = {
    "": str,
    "b64": lambda text: base64.b64decode(text).decode(),
    "gz+b64": lambda text: gzip.decompress(base64.b64decode(text)).decode(),
}
