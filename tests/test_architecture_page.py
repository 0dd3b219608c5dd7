"""docs/architecture.md draws the rooms as they are, and names files that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.rooms import ROOMS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def drawn() -> set[tuple[str, str]]:
    lines = re.findall(r"^ +(\w+) --> ([\w &]+)$", PAGE, re.MULTILINE)
    return {(source, target) for source, targets in lines for target in targets.split(" & ")}


def imported() -> set[tuple[str, str]]:
    found = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module:
                    found.add((room, node.module.split(".")[0]))
    return {(a, b) for a, b in found if b in ROOMS and b not in (a, "base")}


def test_the_picture_shows_every_arrow_between_rooms_and_no_other() -> None:
    assert drawn() == imported()


def test_every_room_has_its_line_and_every_file_that_is_named_is_there() -> None:
    assert sorted(re.findall(r"^\| `(\w+)/` \|", PAGE, re.MULTILINE)) == sorted(ROOMS)
    named = re.findall(r"`([\w/]+\.py)`", PAGE)
    assert len(named) > 12
    assert [name for name in named if not (ROOT / name).exists()] == []
