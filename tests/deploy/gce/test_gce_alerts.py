"""The alert policies of the machines: those of the rule files, for one deployment of a project."""

from __future__ import annotations

from typing import Any

import promql_parser  # type: ignore[import-not-found,import-untyped,unused-ignore]
import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from tests.deploy.gce.hcl import ROOT
from tests.deploy.gce.planning import Plan

FILES = sorted((ROOT / "deploy" / "monitoring" / "rules").glob("*.yml"))
UNITS = {"s": 1, "m": 60, "h": 3600}


def rules() -> dict[str, dict[str, Any]]:
    """The alerts of the files by name; those of blackbox_exporter, which does not run here, are left out."""
    groups = [group for path in FILES for group in yaml.safe_load(path.read_text())["groups"]]
    return {
        rule["alert"]: rule
        for group in groups
        for rule in group["rules"]
        if "alert" in rule and group["name"] != "til-address"
    }


@pytest.fixture(scope="module")
def policies(split: Plan) -> dict[str, dict[str, Any]]:
    """What is planned of each alert, by its name."""
    return {
        address.split('"')[1]: values
        for address, values in split.resources.items()
        if "google_monitoring_alert_policy.rules[" in address
    }


def condition(policy: dict[str, Any]) -> dict[str, Any]:
    [one] = policy["conditions"]
    [found] = one["condition_prometheus_query_language"]
    return dict(found)


def selectors(query: str) -> list[str]:
    """Every selector of a query; fails where it does not parse."""
    found: list[str] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(str(node))

    promql_parser.walk(promql_parser.parse(query), visit)
    return found


def test_every_alert_of_the_files_is_a_policy(policies: dict[str, dict[str, Any]]) -> None:
    assert policies.keys() == rules().keys()
    assert len(policies) > 15


def test_a_policy_asks_what_the_file_asks_of_this_deployment(policies: dict[str, dict[str, Any]]) -> None:
    for name, rule in rules().items():
        query = condition(policies[name])["query"]
        assert query.replace('{cluster="til"}', "").replace('cluster="til", ', "") == rule["expr"], name
        found = selectors(query)
        assert len(found) == len(selectors(rule["expr"]))
        assert [one for one in found if 'cluster="til"' not in one] == [], name


def test_a_policy_waits_as_long_and_is_as_severe(policies: dict[str, dict[str, Any]]) -> None:
    for name, rule in rules().items():
        waits = rule.get("for", "0s")
        assert condition(policies[name])["duration"] == f"{int(waits[:-1]) * UNITS[waits[-1]]}s", name
        expected = {"page": "CRITICAL", "ticket": "WARNING"}[rule["labels"]["severity"]]
        assert policies[name]["severity"] == expected
        [told] = policies[name]["documentation"]
        assert rule["annotations"]["runbook"] in told["content"]
        assert "{{" not in told["content"]


def test_the_address_is_asked_from_outside(split: Plan) -> None:
    filters = {
        name: split.values(f"module.monitoring.module.uptime.google_monitoring_alert_policy.{name}")[
            "conditions"
        ][0]["condition_threshold"][0]
        for name in ("unreachable", "certificate")
    }
    assert filters["certificate"]["threshold_value"] == 14
    assert filters["certificate"]["comparison"] == "COMPARISON_LT"
    assert filters["unreachable"]["duration"] == "120s"
