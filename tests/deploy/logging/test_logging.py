"""Filebeat's configuration, the index template and Kibana's objects are consistent (static checks)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.monitoring.programs import ROOT

LOGGING = ROOT / "deploy" / "logging"
FILEBEAT = yaml.safe_load((LOGGING / "filebeat.yml").read_text())
TEMPLATE = json.loads((LOGGING / "index-template.json").read_text())
OBJECTS = [json.loads(line) for line in (LOGGING / "kibana.ndjson").read_text().splitlines()]
TYPES = {"date", "keyword", "match_only_text", "long", "float", "boolean"}
BUILT_IN = {"___records___"}
"""Kibana's name for the documents themselves."""
FIELD = re.compile(r"\b(?:til|service)\.[a-z_]+\b")


def leaves(properties: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, one in properties.items():
        if "properties" in one:
            yield from leaves(one["properties"], f"{prefix}{name}.")
        else:
            yield prefix + name, one["type"]


FIELDS = dict(leaves(TEMPLATE["template"]["mappings"]["properties"]))


def test_the_template_defines_a_data_stream_with_retention_and_fixed_fields() -> None:
    assert TEMPLATE["data_stream"] == {}
    assert TEMPLATE["template"]["mappings"]["dynamic"] is False
    assert re.fullmatch(r"\d+d", TEMPLATE["template"]["lifecycle"]["data_retention"])
    assert set(FIELDS.values()) <= TYPES
    assert FIELDS["@timestamp"] == "date"


def test_filebeat_installs_the_template_and_writes_to_its_data_stream() -> None:
    (pattern,) = TEMPLATE["index_patterns"]
    index, setup = FILEBEAT["output.elasticsearch"]["index"], FILEBEAT["setup.template"]
    assert re.fullmatch(pattern.replace("*", ".*"), index)
    assert setup["pattern"] == pattern
    assert setup["json"]["name"] == setup["name"]
    assert setup["json"]["path"].endswith("/index-template.json")
    assert (setup["json"]["enabled"], setup["json"]["data_stream"]) == (True, True)
    assert FILEBEAT["setup.ilm.enabled"] is False


def processors() -> dict[str, Any]:
    (names,) = {tuple(next(iter(one)) for one in FILEBEAT["processors"])}
    assert len(set(names)) == len(names)
    return {name: one for processor in FILEBEAT["processors"] for name, one in processor.items()}


def test_filebeat_parses_dockers_lines_drops_its_own_and_keeps_plain_text() -> None:
    (source,) = FILEBEAT["filebeat.inputs"]
    assert source["parsers"] == [{"ndjson": {"target": "docker", "ignore_decoding_error": True}}]
    steps = processors()
    label = "docker.attrs.com.docker.compose.service"
    left_out = {one["equals"][label] for one in steps["drop_event"]["when"]["or"]}
    assert left_out == {"elasticsearch", "filebeat", "kibana"}
    assert {"from": label, "to": "service.name"} in steps["rename"]["fields"]
    assert steps["copy_fields"]["fields"] == [{"from": "docker.log", "to": "message"}]
    written = {one["to"] for one in steps["rename"]["fields"]} | {"message"}
    assert written <= set(FIELDS)


def test_references_between_kibanas_objects_exist() -> None:
    known = {(one["type"], one["id"]) for one in OBJECTS}
    assert len(known) == len(OBJECTS) == 5
    for one in OBJECTS:
        assert {(to["type"], to["id"]) for to in one["references"]} <= known
    (view,) = [one for one in OBJECTS if one["type"] == "index-pattern"]
    assert [view["attributes"]["title"]] == TEMPLATE["index_patterns"]


def test_every_field_that_kibana_uses_is_in_the_template() -> None:
    for one in OBJECTS:
        text = json.dumps(one["attributes"])
        assert set(FIELD.findall(text)) <= set(FIELDS), one["id"]
        for source in re.findall(r'"sourceField": "([^"]+)"', text):
            assert source in FIELDS or source in BUILT_IN


def test_the_columns_and_formulas_of_a_lens_are_consistent() -> None:
    for one in OBJECTS:
        if one["type"] != "lens":
            continue
        state = one["attributes"]["state"]
        columns = state["datasourceStates"]["formBased"]["layers"]["layer1"]["columns"]
        (layer,) = state["visualization"]["layers"]
        assert {layer["xAccessor"], *layer["accessors"]} <= set(columns)
        for column in columns.values():
            assert set(column.get("references", ())) <= set(columns)
        formulas = {name: c for name, c in columns.items() if c["operationType"] == "formula"}
        for name, column in formulas.items():
            parts = [columns[f"{name}X{n}"]["filter"]["query"] for n in (0, 1)]
            assert column["params"]["formula"] == " / ".join(f"count(kql='{part}')" for part in parts)


def test_the_dashboard_shows_each_object_once_without_overlap() -> None:
    (board,) = [one for one in OBJECTS if one["type"] == "dashboard"]
    panels = json.loads(board["attributes"]["panelsJSON"])
    names = {f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in panels}
    assert names == {to["name"] for to in board["references"]}
    rows = [
        range(panel["gridData"]["y"], panel["gridData"]["y"] + panel["gridData"]["h"]) for panel in panels
    ]
    assert len(set().union(*rows)) == sum(map(len, rows))
