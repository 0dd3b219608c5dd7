"""`python -m deploy.monitoring.cluster_values`: the rules, and Alertmanager's routes, as clusters want them.

It writes values/rules.yaml for kube-prometheus-stack and values/managed-prometheus-rules.yaml for Google's
Managed Service for Prometheus. Both are checked in, and a test compares them with what this makes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
HEAD = "# Made by `make generated` of deploy/monitoring/rules{}.\n"
SECRETS = "/etc/alertmanager/secrets/"
SECRET_NAME = "til-alerts"  # noqa: S105 - a name
"""The operator mounts a secret in a folder of its name."""
INTERVAL = "30s"
"""Of the groups that have none of their own, where there must be one."""


def files() -> dict[Path, str]:
    """Each file and what is to stand in it."""
    return {
        HERE / "values" / "rules.yaml": HEAD.format(" and alertmanager.yml") + _yaml(_stack()),
        HERE / "values" / "managed-prometheus-rules.yaml": HEAD.format("") + _yaml(_managed()),
    }


def _rules() -> dict[str, Any]:
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted((HERE / "rules").glob("*.yml"))}


def _stack() -> dict[str, Any]:
    routes = (HERE / "alertmanager.yml").read_text().replace(SECRETS, f"{SECRETS}{SECRET_NAME}/")
    return {
        "additionalPrometheusRulesMap": {f"til-queue-{name}": groups for name, groups in _rules().items()},
        "alertmanager": {"config": yaml.safe_load(routes)},
    }


def _managed() -> dict[str, Any]:
    """Rules over the whole cluster: machines and GPUs belong to no namespace."""
    groups = [{"interval": INTERVAL} | group for one in _rules().values() for group in one["groups"]]
    return {
        "apiVersion": "monitoring.googleapis.com/v1",
        "kind": "ClusterRules",
        "metadata": {"name": "til-queue"},
        "spec": {"groups": groups},
    }


def _yaml(made: dict[str, Any]) -> str:
    return str(yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=1000))


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
