"""JSON that was cut off: what of it is complete."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import Any

PIECE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*("?)|[{}\[\]]', re.DOTALL)
CLOSERS = {"{": "}", "[": "]"}
TRIES = 4
"""The last value may have been a key, and what a comma or a bracket ends is whole before it."""
Open = tuple[str, "Open"] | None
"""What closes the innermost open bracket, and those around it."""


def complete(text: str) -> dict[str, Any]:
    """The JSON object that a cut text begins, closed after its last complete value. O(characters)."""
    for end, opened in reversed(_ends(text)):
        try:
            value = json.loads(text[:end] + _closing(opened), strict=False)
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict) else {}
    return {}


def _ends(text: str) -> deque[tuple[int, Open]]:
    """The last places where a value may have ended, and what is open there."""
    opened: Open = None
    ends: deque[tuple[int, Open]] = deque(maxlen=TRIES)
    for piece in PIECE.finditer(text):
        mark = piece[0][0]
        if mark in CLOSERS:
            opened = (CLOSERS[mark], opened)
            continue
        if mark != '"':
            opened = opened[1] if opened else None
        elif not piece[1]:
            break
        ends.append((piece.end(), opened))
    return ends


def _closing(opened: Open) -> str:
    marks = []
    while opened:
        mark, opened = opened
        marks.append(mark)
    return "".join(marks)
