"""Finds the JSON object in a model's answer, which some models and servers wrap in other text. Pure.

This happens only with servers that do not enforce the schema. The JSON itself is not changed, and it is
validated like any other answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from worker.engines.reasoning import REASONING_MARKS
from worker.writing.json_repair import complete
from worker.writing.schema import InvalidOutput, as_json

BEGIN = re.compile(r'\{\s*"')
MOST_OBJECTS = 64
"""So many beginnings of an object are tried."""
MOST_CUT = 2
"""So many incomplete objects are tried as the one that was cut off; each takes a pass over the text."""
MOST_LAYERS = 3
"""How deep the answer may lie in JSON strings, lists of one value and objects of one key."""
DECODER = json.JSONDecoder(strict=False)


def candidates(text: str, whole: bool) -> Iterator[Any]:
    """Values that may be the answer, the likeliest first. `whole`: the text was not cut off by length.

    First the whole text as JSON; then the objects in it, the last one first, since the model's reasoning
    comes before the answer and may hold drafts of it. Of a text that was cut off, the objects are completed.
    """
    text = text.strip("\ufeff \t\r\n")
    if not whole:
        after_reasoning = _end_of_reasoning(text)
        for begin in dict.fromkeys((*_incomplete(text, after_reasoning), *_incomplete(text, 0))):
            yield complete(text[begin:])
        return
    value = _load(text)
    if value is not None:
        yield from _layers(value)
        return
    for begin in (_end_of_reasoning(text), 0):
        for inner in reversed(_complete_objects(text, begin)):
            yield from _layers(inner)


def _load(text: str) -> Any:
    try:
        return as_json(text)
    except InvalidOutput:
        return None


def _layers(value: Any) -> Iterator[Any]:
    """The value, then what it wraps."""
    for _ in range(MOST_LAYERS):
        yield value
        if isinstance(value, list | dict) and len(value) == 1:
            (value,) = value.values() if isinstance(value, dict) else value
        elif isinstance(value, str):
            value = _load(value.strip())
        else:
            return


def _end_of_reasoning(text: str) -> int:
    return max(text.rfind(closer) for _, closer in REASONING_MARKS) + 1


def _complete_objects(text: str, at: int) -> list[Any]:
    """The outermost complete objects, in their order."""
    return [value for _, value in _find_objects(text, at) if value is not None]


def _incomplete(text: str, at: int) -> list[int]:
    """Where objects begin that are not complete."""
    return [begin for begin, value in _find_objects(text, at) if value is None][:MOST_CUT]


def _find_objects(text: str, at: int) -> Iterator[tuple[int, Any]]:
    """Where each object begins, and its value; None if it is not complete."""
    for _ in range(MOST_OBJECTS):
        begin = BEGIN.search(text, at)
        if begin is None:
            return
        try:
            value, at = DECODER.raw_decode(text, begin.start())
        except (ValueError, RecursionError):
            value, at = None, begin.end()
        yield begin.start(), value
