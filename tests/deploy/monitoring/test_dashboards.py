"""The checked-in dashboards are up to date, and all their queries parse."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import combinations
from typing import Any

import pytest

from deploy.monitoring.dashboards.files import FOLDER, all_dashboards
from tests.deploy.helm import golden
from tests.deploy.monitoring.files import load, metrics_of, unrecorded
from tests.monitoring.programs import MONITORING, ROOT

NAMES = sorted(all_dashboards())
VARIABLES = {"$__rate_interval": "5m", "${gpu_hour_price}": "1"}
"""Grafana's variables with sample values."""


def board(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return read


def panels(name: str) -> list[dict[str, Any]]:
    """All panels except rows."""
    return [panel for panel in board(name)["panels"] if panel["type"] != "row"]


def expression(target: dict[str, Any]) -> str:
    """A target's query, with values for Grafana's variables."""
    query = str(target["expr"])
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    return query


def expressions(name: str) -> list[str]:
    return [expression(target) for panel in panels(name) for target in panel["targets"]]


def test_the_checked_in_dashboards_are_up_to_date() -> None:
    checked_in = {path.name: path.read_text() for path in FOLDER.iterdir()}
    generated = all_dashboards()
    stale = sorted(name for name in checked_in | generated if checked_in.get(name) != generated.get(name))
    assert not stale, f"run make generated: {stale}"


def test_make_generated_updates_everything_that_is_compared_with_checked_in_files() -> None:
    make = ["make", "--dry-run", "--directory", str(ROOT), "generated"]
    printed = subprocess.run(make, check=True, capture_output=True, text=True, timeout=60).stdout
    modules = set(re.findall(r"^\.venv-deploy/bin/python -m ((?:deploy|tests)\.\S+)$", printed, re.MULTILINE))
    assert modules == {"deploy.monitoring.dashboards", "deploy.monitoring.cluster_values", golden.__name__}


@pytest.mark.parametrize("name", NAMES)
def test_every_query_parses_and_its_recorded_metrics_exist(name: str) -> None:
    for query in expressions(name):
        used = metrics_of(query)
        assert used, query
        assert unrecorded(used) == set()


@pytest.mark.parametrize("name", NAMES)
def test_panels_have_a_title_a_query_the_datasource_variable_and_do_not_overlap(name: str) -> None:
    for panel in panels(name):
        assert panel["title"]
        assert panel["targets"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    ids = [panel["id"] for panel in board(name)["panels"]]
    assert len(ids) == len(set(ids))
    for first, second in combinations(board(name)["panels"], 2):
        assert not overlap(first["gridPos"], second["gridPos"]), (first["title"], second["title"])


def overlap(one: dict[str, int], two: dict[str, int]) -> bool:
    across = one["x"] < two["x"] + two["w"] and two["x"] < one["x"] + one["w"]
    return across and one["y"] < two["y"] + two["h"] and two["y"] < one["y"] + one["h"]


def test_dashboards_have_distinct_uids() -> None:
    uids = [board(name)["uid"] for name in NAMES]
    assert len(uids) == len(set(uids)) == 4


def test_grafana_provisions_the_datasource_and_the_dashboards() -> None:
    provisioning = MONITORING / "grafana" / "provisioning"
    (source,) = load(provisioning / "datasources" / "prometheus.yml")["datasources"]
    assert (source["type"], source["isDefault"], source["uid"]) == ("prometheus", True, "prometheus")
    (provider,) = load(provisioning / "dashboards" / "til-queue.yml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    assert provider["allowUiUpdates"] is False
