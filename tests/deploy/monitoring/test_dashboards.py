"""The dashboards that Grafana reads are those that the code makes, and every query in them parses."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import combinations
from typing import Any

import pytest

from deploy.monitoring.dashboards.files import FOLDER, all_dashboards
from tests.deploy.helm import golden
from tests.deploy.monitoring.files import load, metrics_of, rules
from tests.monitoring.programs import MONITORING, ROOT

NAMES = sorted(all_dashboards())
VARIABLES = {"$__rate_interval": "5m", "${gpu_hour_price}": "1"}
"""What Grafana fills in, and something that could stand there."""


def board(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return read


def panels(name: str) -> list[dict[str, Any]]:
    """Those that show something; rows only part them."""
    return [panel for panel in board(name)["panels"] if panel["type"] != "row"]


def expressions(name: str) -> list[str]:
    found = [target["expr"] for panel in panels(name) for target in panel["targets"]]
    for variable, value in VARIABLES.items():
        found = [expression.replace(variable, value) for expression in found]
    return found


def test_the_checked_in_dashboards_are_those_that_the_code_makes() -> None:
    checked_in = {path.name: path.read_text() for path in FOLDER.iterdir()}
    made = all_dashboards()
    stale = sorted(name for name in checked_in | made if checked_in.get(name) != made.get(name))
    assert not stale, f"run make generated: {stale}"


def test_make_generated_renews_everything_that_is_compared_with_what_is_checked_in() -> None:
    make = ["make", "--dry-run", "--directory", str(ROOT), "generated"]
    printed = subprocess.run(make, check=True, capture_output=True, text=True, timeout=60).stdout
    modules = set(re.findall(r"^\.venv-deploy/bin/python -m ((?:deploy|tests)\.\S+)$", printed, re.MULTILINE))
    assert modules == {"deploy.monitoring.dashboards", "deploy.monitoring.cluster_values", golden.__name__}


@pytest.mark.parametrize("name", NAMES)
def test_every_query_parses_and_what_it_asks_of_records_is_recorded(name: str) -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for expression in expressions(name):
        asked = metrics_of(expression)
        assert asked, expression
        assert {one for one in asked if ":" in one and not one.startswith("vllm:")} <= recorded


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_has_a_title_a_query_the_chosen_source_and_a_place_of_its_own(name: str) -> None:
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


def test_no_two_dashboards_have_one_address() -> None:
    addresses = [board(name)["uid"] for name in NAMES]
    assert len(addresses) == len(set(addresses)) == 4


def test_grafana_is_told_of_the_source_and_of_the_folder_of_dashboards() -> None:
    provisioning = MONITORING / "grafana" / "provisioning"
    (source,) = load(provisioning / "datasources" / "prometheus.yml")["datasources"]
    assert (source["type"], source["isDefault"], source["uid"]) == ("prometheus", True, "prometheus")
    (provider,) = load(provisioning / "dashboards" / "til-queue.yml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    assert provider["allowUiUpdates"] is False
