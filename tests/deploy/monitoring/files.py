"""Reads the files of deploy/monitoring and their rules."""

from __future__ import annotations

from collections.abc import Iterator
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


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of every file."""
    for path in RULES:
        for group in load(path)["groups"]:
            yield from group["rules"]


def alerts() -> dict[str, dict[str, Any]]:
    """All alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression selects. Raises ValueError if it does not parse."""
    found: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.add(node.name)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found
