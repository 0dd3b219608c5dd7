"""Rules, dashboards and the rules' unit tests use only labels that the exporters write."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from tests.deploy.monitoring.files import UNIT_TESTS, alerts, load, recorded, rules
from tests.deploy.monitoring.promql import LabelsOf, UnknownLabel
from tests.deploy.monitoring.test_dashboards import NAMES, expression, panels
from tests.deploy.monitoring.test_discovery import free_port
from tests.monitoring.labels import NODE, stored
from tests.monitoring.programs import find


def stored_or_recorded(name: str) -> frozenset[str]:
    rule = recorded().get(name)
    return stored(name) if rule is None else LABELS.of(rule["expr"]) | frozenset(rule.get("labels", ()))


LABELS = LabelsOf(stored_or_recorded)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_labels_that_its_series_have(rule: dict[str, Any]) -> None:
    labels = LABELS.of(rule["expr"])
    for text in rule.get("annotations", {}).values():
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels, text


@pytest.mark.parametrize("name", NAMES)
def test_a_panel_asks_for_labels_that_its_series_have_and_names_them_in_its_legend(name: str) -> None:
    for panel in panels(name):
        for target in panel["targets"]:
            query = expression(target)
            named = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target.get("legendFormat", "")))
            assert named <= LABELS.of(query), (panel["title"], query)


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.name)
def test_series_of_the_rules_unit_tests_have_only_labels_that_real_ones_have(path: Any) -> None:
    for test in load(path)["tests"]:
        for one in test["input_series"]:
            series = promql_parser.parse(one["series"])
            labels = {matcher.name for matcher in series.matchers.matchers}
            assert labels <= stored(series.name), (test["name"], one["series"])


@pytest.mark.parametrize(
    "query",
    [
        'til_jobs{status="queued"}',
        "sum by (alias) (til_jobs)",
        "sum without (route) (til_jobs)",
        "max by (model) (til_jobs) > on (instance) max by (model) (til_model_slots)",
        "til_jobs / til_model_slots",
        "histogram_quantile(0.9, sum by (route) (rate(til_http_request_seconds_bucket[5m])))",
        'label_replace(til_jobs, "a", "$1", "alias", "(.*)")',
        'absent(til_workers{model="default"})',
        "max_over_time((sum by (alias) (til_jobs))[1h:1m])",
        'sum(model_state:til_jobs:max{instance="a"})',
    ],
)
def test_a_query_for_a_label_that_is_not_there_is_found(query: str) -> None:
    with pytest.raises(UnknownLabel):
        LABELS.of(query)


def test_labels_of_an_answer() -> None:
    both = "sum by (model, state) (til_jobs) and on (model) (til_model_slots > 0)"
    assert LABELS.of(both) == {"model", "state"}
    assert LABELS.of("til_jobs * on (model) group_left () max by (model) (til_model_slots)") >= {"state"}
    assert LABELS.of("max(til_jobs) * 2 or vector(0)") == set()
    assert LABELS.of(alerts()["TilNoJobRuns"]["expr"]) == {"model", "state"}


@pytest.fixture
def node_exporter() -> Iterator[str]:
    """The address of one that reads this machine."""
    address = f"127.0.0.1:{free_port()}"
    program = find("prometheus-node-exporter")
    assert program
    every = "--collector.filesystem.fs-types-exclude=^$"
    command = [program, f"--web.listen-address={address}", every]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    yield address
    process.terminate()
    process.wait(20)


def test_node_exporter_writes_the_labels_that_the_rules_are_held_to(node_exporter: str) -> None:
    lines = scraped(node_exporter).splitlines()
    for name, labels in NODE.items():
        found = [set(re.findall(r'(\w+)="', line)) for line in lines if line.startswith(f"{name}{{")]
        assert found
        assert all(one >= labels for one in found)


def scraped(address: str) -> str:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
