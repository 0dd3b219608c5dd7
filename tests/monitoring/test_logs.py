"""Log lines fit the index template and contain nothing of a request's content."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.monitoring.programs import ROOT
from tests.rooms import ROOMS
from tests.stack.processes import Stack, day, until
from tests.stack.receiver import Receiver

LOGGING = ROOT / "deploy" / "logging"
TEMPLATE = json.loads((LOGGING / "index-template.json").read_text())
FIELDS: dict[str, dict[str, Any]] = TEMPLATE["template"]["mappings"]["properties"]["til"]["properties"]
NOT_STORED = {"timestamp"}
"""Filebeat uses Docker's timestamp of the line instead."""
FITS: dict[str, tuple[type, ...]] = {
    "keyword": (str, int, type(None)),
    "match_only_text": (str, type(None)),
    "long": (int, type(None)),
    "float": (int, float, type(None)),
    "boolean": (bool, type(None)),
}
LEVELS = {"debug", "info", "warning", "error", "exception"}
MARK = "quince-marmalade"


def logged_fields(path: Path) -> set[str]:
    """The keyword arguments of `log.info(...)` and other log calls in this file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("log"), attr=level)) if level in LEVELS:
                found |= {word.arg for word in node.keywords if word.arg}
    return found


def test_every_logged_field_is_in_the_index() -> None:
    files = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    logged = {name for path in files for name in logged_fields(path)} - {"exc_info"}
    assert len(logged) > 25
    assert logged <= set(FIELDS), logged - set(FIELDS)


def test_lines_of_running_processes_fit_the_index_and_contain_no_request(
    stack: Stack, receiver: Receiver
) -> None:
    processes = [stack.api(), stack.steward(), stack.worker()]
    patch = {"commit_message": MARK, "patch": f"@@ -1 +1 @@\n-a\n+{MARK}\n", "sha": "4f2a91c0"}
    files = [{"filepath": f"src/{MARK}.py", "latest_code": MARK, "patches": [patch]}]
    with stack.client() as client:
        for _ in range(2):
            body = day(files=files, webhook={"url": receiver.url})
            client.post("/v1/til", json=body, headers={"Prefer": "wait=20"})
        assert client.post("/v1/til", json={"username": MARK}).status_code == 422
    until(lambda: len(receiver.messages) == 2)
    until(lambda: '"webhook"' in processes[1].log.read_text())
    events = set()
    for process in processes:
        for line in process.log.read_text().splitlines():
            assert MARK not in line
            if line.startswith("{"):  # Other lines come from libraries and are stored as they are.
                events.add(_fits(line)["event"])
    assert {"request", "submitted", "run_ended", "webhook", "worker_registered", "steward_started"} <= events


def _fits(line: str) -> dict[str, Any]:
    """The fields of a line, after a check that Filebeat parses it and that the index accepts them."""
    steps = yaml.safe_load((LOGGING / "filebeat.yml").read_text())["processors"]
    (decode,) = [one["decode_json_fields"] for one in steps if "decode_json_fields" in one]
    assert re.search(decode["when"]["regexp"]["docker.log"], line), line
    fields: dict[str, Any] = json.loads(line)
    for name, value in fields.items():
        if name not in NOT_STORED:
            assert isinstance(value, FITS[FIELDS[name]["type"]]), (name, value)
    return fields
