"""Every setting in deploy/ is one that its process reads; a misspelt one would be ignored silently."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from api.settings import ApiSettings
from steward.settings import StewardSettings
from webhooks.settings import WebhookSettings
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[1]
GCE = ROOT / "deploy" / "gce"
GOLDEN = sorted((ROOT / "tests" / "deploy" / "helm" / "golden").glob("*.yaml"))
COMPOSE = [ROOT / "docker-compose.yml", *sorted((ROOT / "deploy" / "compose").glob("*.yml"))]
OF_OTHERS = {
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "HF_TOKEN_PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "PGSSLROOTCERT",
    "USER",
}
"""What libraries read: the hub's, the linker, PostgreSQL's client, PyTorch."""

SERVERS = (ApiSettings, StewardSettings, WebhookSettings)
"""The api, the steward and `til-server` may get one environment: what one of them reads is no mistake."""


def read_by(*settings: type[BaseSettings]) -> set[str]:
    """The variables that these settings are read from, and their files."""
    found = set()
    for one in settings:
        prefix = one.model_config.get("env_prefix", "")
        for name, field in one.model_fields.items():
            alias = field.validation_alias
            assert not isinstance(alias, AliasChoices)
            found.add(str(alias) if alias else f"{prefix}{name}".upper())
    return found | {f"{name}_FILE" for name in found} | OF_OTHERS


WORKER, OTHERS = read_by(WorkerSettings), read_by(*SERVERS)


def unknown(variables: set[str], command: str) -> set[str]:
    """Those that the process of this command does not read."""
    return variables - (WORKER if "worker" in command else OTHERS)


def golden() -> Iterator[tuple[str, set[str], str]]:
    """Each container of the chart's renderings: where it is, its variables, its command."""
    for path in GOLDEN:
        for one in yaml.safe_load_all(path.read_text()):
            spec = ((one or {}).get("spec") or {}).get("template", {}).get("spec", {})
            for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
                command = " ".join([*container.get("command", []), *container.get("args", [])])
                variables = {variable["name"] for variable in container.get("env", [])}
                yield f"{path.stem} {container['name']}", variables, command


def compose() -> Iterator[tuple[str, set[str], str]]:
    """Each service of compose: its name, its variables, its command."""
    for path in COMPOSE:
        services: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["services"]
        for name, service in services.items():
            command = service.get("command") or []
            line = command if isinstance(command, str) else " ".join(command)
            yield f"compose {name}", set(service.get("environment") or {}), line


def machines() -> Iterator[tuple[str, set[str], str]]:
    """What the virtual machines' processes get: from the templates, and from Terraform's variables."""
    parts = GCE / "modules" / "cloud_init" / "parts"
    line = re.compile(r"^ {4}([A-Z][A-Z0-9_]+)=", re.MULTILINE)
    setting = re.compile(r"\b((?:TIL|HF)_[A-Z0-9_]+)\s+= ")
    for name in ("api", "worker"):
        yield (
            f"gce {name}",
            set(line.findall((parts / f"{name}.yaml.tftpl").read_text())),
            f"python3 -m {name}",
        )
    given = set(setting.findall((GCE / "cloud_init.tf").read_text()))
    yield "gce api settings", {name for name in given if name.startswith("TIL_")}, "python3 -m api"
    yield "gce hub", {name for name in given if name.startswith("HF_")}, "python3 -m worker"
    for path in [GCE / "sizes.tf", *(GCE / "examples").glob("*.tfvars")]:
        yield f"gce {path.name}", set(setting.findall(path.read_text())), "python3 -m worker"


OURS = re.compile(r"python3 -m (api|steward|worker)\b|\btil-server\b")
ALL = {
    where: (variables, command)
    for source in (golden, compose, machines)
    for where, variables, command in source()
    if OURS.search(command)
}


def test_every_kind_of_deployment_and_process_is_looked_at() -> None:
    assert {"compose api", "compose steward", "compose worker", "compose worker-gpu"} <= ALL.keys()
    assert {"gce api", "gce worker", "gce api settings", "gce split.tfvars"} <= ALL.keys()
    assert {f"{path.stem} {name}" for path in GOLDEN for name in ("api", "worker")} <= ALL.keys()
    assert sum(len(variables) for variables, _ in ALL.values()) > 100


@pytest.mark.parametrize("where", ALL)
def test_a_process_reads_what_it_is_given(where: str) -> None:
    variables, command = ALL[where]
    assert unknown(variables, command) == set()


def test_a_misspelt_setting_is_found() -> None:
    assert unknown({"TIL_ALIAS", "TIL_DRAIN_SECOND"}, "python3 -m worker") == {"TIL_DRAIN_SECOND"}
    assert unknown({"TIL_SECRET_KEYS_FILE", "DATABASE_URL_FILE"}, "python3 -m api") == set()
    assert unknown({"TIL_SECRET_KEYS_FILE"}, "python3 -m worker") == {"TIL_SECRET_KEYS_FILE"}
