"""The markdown of a draft that is still being written, or was cut off: only what is complete, never JSON."""

from __future__ import annotations

import json
from typing import Any

from jobs.languages import WORDS
from jobs.markdown import bullet, escape
from jobs.post import SECTIONS, Point
from jobs.request import TilRequest

CLOSERS = {"{": "}", "[": "]"}


def partial_markdown(text: str, request: TilRequest) -> str:
    """What can be read of the JSON so far; empty when that is nothing yet."""
    found = complete(text)
    if not isinstance(found.get("title"), str):
        return ""
    lines = [f"# {escape(found['title'])}", ""]
    for name, heading in zip(SECTIONS, WORDS[request.language].headings, strict=True):
        points = [point for point in found.get(name) or [] if _whole(point)]
        if points:
            lines += [f"## {heading}", "", *(bullet(Point(**point)) for point in points), ""]
    return "\n".join(lines).rstrip() + "\n"


def _whole(point: Any) -> bool:
    return isinstance(point, dict) and point.keys() == {"text", "sources"} and bool(point["sources"])


def complete(text: str) -> dict[str, Any]:
    """The JSON object that a cut text begins, closed after its last complete value."""
    for end, closing in reversed(_ends(text)[-4:]):
        try:
            value = json.loads(text[:end] + closing, strict=False)
        except ValueError:
            continue
        return value if isinstance(value, dict) else {}
    return {}


def _ends(text: str) -> list[tuple[int, str]]:
    """Where a value may have ended, and what closes everything that is open there."""
    stack: list[str] = []
    inside = escaped = False
    ends: list[tuple[int, str]] = []
    for index, character in enumerate(text):
        if inside:
            inside, escaped = _in_string(character, escaped)
        elif character == '"':
            inside = True
        elif character in CLOSERS:
            stack.append(CLOSERS[character])
        elif character in "}]" and stack:
            stack.pop()
        if not inside and character in '"}]':
            ends.append((index + 1, "".join(reversed(stack))))
    return ends


def _in_string(character: str, escaped: bool) -> tuple[bool, bool]:
    """Whether the string goes on, and whether the next character is escaped."""
    if escaped:
        return True, False
    return character != '"', character == "\\"
