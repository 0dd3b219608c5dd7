"""The rules are valid, and each alert has unit tests, a severity and a section in the runbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.monitoring.files import RULES, UNIT_TESTS, alerts, load, metrics_of, rules, unrecorded
from tests.monitoring.programs import ROOT, run
from tests.operations.pages import anchors

RUNBOOK = ROOT / "docs" / "operations" / "alerts.md"


def test_promtool_accepts_every_rule_file() -> None:
    printed = run("promtool", "check", "rules", *RULES)
    found = sum(int(count) for count in re.findall(r"SUCCESS: (\d+) rules found", printed))
    assert found == len(rules())


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.name)
def test_the_unit_tests_of_the_rules_pass(path: Path) -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", path)


def unit_tests() -> list[dict[str, Any]]:
    return [case for path in UNIT_TESTS for test in load(path)["tests"] for case in test["alert_rule_test"]]


def test_every_alert_has_a_test_that_fires_and_one_that_does_not() -> None:
    fires = {case["alertname"] for case in unit_tests() if case["exp_alerts"]}
    quiet = {case["alertname"] for case in unit_tests() if not case["exp_alerts"]}
    assert fires == quiet == set(alerts())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_expression_parses_and_its_recorded_metrics_exist(rule: dict[str, Any]) -> None:
    used = metrics_of(rule["expr"])
    assert used
    assert unrecorded(used) == set()


def test_every_alert_has_a_severity_annotations_and_a_runbook_section() -> None:
    known = anchors(RUNBOOK)
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}, name
        assert rule["annotations"]["runbook"] == f"docs/operations/alerts.md#{name.lower()}"
        assert name.lower() in known, f"{name} has no section in {RUNBOOK.name}"


def test_every_section_of_the_runbook_belongs_to_an_alert() -> None:
    titles = set(re.findall(r"(?m)^### (.*)$", RUNBOOK.read_text()))
    assert titles == set(alerts())
