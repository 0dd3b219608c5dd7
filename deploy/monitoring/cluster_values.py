"""`python -m deploy.monitoring.cluster_values`: rules and routes as kube-prometheus-stack wants them.

It writes values/rules.yaml, which is checked in, and a test compares the two.
"""

from __future__ import annotations

from pathlib import Path

import yaml

HERE = Path(__file__).parent
VALUES = HERE / "values" / "rules.yaml"
HEAD = (
    "# Made of deploy/monitoring/rules and alertmanager.yml by python -m deploy.monitoring.cluster_values.\n"
)
SECRETS = "/etc/alertmanager/secrets/"
SECRET_NAME = "til-alerts"  # noqa: S105 - a name
"""The operator mounts a secret in a folder of its name."""


def values() -> str:
    """The YAML of values/rules.yaml."""
    rules = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((HERE / "rules").glob("*.yml"))}
    routes = (HERE / "alertmanager.yml").read_text().replace(SECRETS, f"{SECRETS}{SECRET_NAME}/")
    made = {
        "additionalPrometheusRulesMap": {f"til-queue-{name}": groups for name, groups in rules.items()},
        "alertmanager": {"config": yaml.safe_load(routes)},
    }
    return HEAD + str(yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=1000))


if __name__ == "__main__":
    VALUES.write_text(values())
