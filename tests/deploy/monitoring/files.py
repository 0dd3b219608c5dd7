"""Reads the files of deploy/monitoring and their rules."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from tests.monitoring.programs import MONITORING

RULES = sorted((MONITORING / "rules").glob("*.yml"))
UNIT_TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))


def load(path: Path) -> Any:
    """The content of a YAML file."""
    return yaml.safe_load(path.read_text())


@cache
def rules() -> list[dict[str, Any]]:
    """Every rule of every file."""
    return [rule for path in RULES for group in load(path)["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """All alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> dict[str, dict[str, Any]]:
    """All recording rules by the metric that they record."""
    return {rule["record"]: rule for rule in rules() if "record" in rule}


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression selects. Raises ValueError if it does not parse."""
    found: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.add(node.name)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def unrecorded(metrics: set[str]) -> set[str]:
    """Those with the name of a recorded metric that no rule records."""
    return {name for name in metrics if ":" in name and not name.startswith("vllm:")} - recorded().keys()
