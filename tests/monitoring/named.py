"""The metrics that rules, dashboards and runbooks name, and the series that an exporter's families have."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.monitoring.labels import TIL_WITH_VLLM
from tests.monitoring.programs import MONITORING
from tests.operations import pages

SERIES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("", "_sum", "_count"),
}
WITH_VLLM = set(TIL_WITH_VLLM)
"""Exported only by workers with the vllm engine; checked in tests/vllm."""
VARIABLES = {"$__rate_interval": "1m", "${gpu_hour_price}": "1"}
"""Grafana's variables with sample values."""


def rule_expressions() -> Iterator[str]:
    """PromQL of every rule."""
    for path in sorted((MONITORING / "rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from (rule["expr"] for rule in group["rules"])


def dashboard_expressions() -> Iterator[str]:
    """PromQL of every panel, with Grafana's variables filled in."""
    for path in sorted((MONITORING / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                expression = target["expr"]
                for variable, value in VARIABLES.items():
                    expression = expression.replace(variable, value)
                yield expression


def named(prefix: str) -> set[str]:
    """The series with this prefix that any rule or panel asks for, without recorded ones (`a:b:c`)."""
    pattern = rf"(?<![\w:]){prefix}\w+(?!:)\b"
    expressions = [*rule_expressions(), *dashboard_expressions()]
    return {name for expression in expressions for name in re.findall(pattern, expression)}


def in_runbooks() -> set[str]:
    """The series of ours that a page of docs/operations names; not databases that it tells to make."""
    return pages.named(r"(?<![\w:-])til_[a-z_]*[a-z]\b") - {"til_before", "til_restored"}


def series(families: Iterable[Metric]) -> set[str]:
    """The names of the series that these families have, or get with their first event."""
    return {family.name + ending for family in families for ending in SERIES.get(family.type, ("",))}


def sampled_labels(*pages: str) -> dict[str, set[frozenset[str]]]:
    """The sets of labels with which each series stands in these pages of metrics."""
    found: dict[str, set[frozenset[str]]] = defaultdict(set)
    for page in pages:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                found[sample.name].add(frozenset(sample.labels))
    return found
