"""The JSON in a model's answer, out of whatever a model or its server puts around it. Pure.

Only servers that do not enforce the schema wrap it. Nothing is mended inside the JSON, and what comes out is
validated as strictly as an answer without a wrapper.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from worker.engines.reasoning import THOUGHTS
from worker.writing.json_repair import complete as closed
from worker.writing.schema import InvalidOutput, as_json

BEGIN = re.compile(r'\{\s*"')
MOST_PLACES = 64
"""At which a JSON object is looked for."""
MOST_CUT = 2
"""Objects that are not whole and may be the one that was cut off; each takes a pass over the text."""
LAYERS = 3
"""A text in a text, a list of one, or an object of one key: so deep."""
DECODER = json.JSONDecoder(strict=False)


def candidates(text: str, whole: bool) -> Iterator[Any]:
    """What may be the answer, the likeliest first. `whole`: it was not cut off by length.

    The text itself, then the objects in it from the last to the first: before the answer stands what the
    model has thought, which may hold drafts. What was cut off is closed after its last complete value.
    """
    text = text.strip("\ufeff \t\r\n")
    if not whole:
        for begin in dict.fromkeys((*_begins(text, _end_of_thoughts(text)), *_begins(text, 0))):
            yield closed(text[begin:])
        return
    value = _loaded(text)
    if value is not None:
        yield from _layers(value)
        return
    for begin in (_end_of_thoughts(text), 0):
        for inner in reversed(_objects(text, begin)):
            yield from _layers(inner)


def _loaded(text: str) -> Any:
    try:
        return as_json(text)
    except InvalidOutput:
        return None


def _layers(value: Any) -> Iterator[Any]:
    for _ in range(LAYERS):
        yield value
        if isinstance(value, list | dict) and len(value) == 1:
            (value,) = value.values() if isinstance(value, dict) else value
        elif isinstance(value, str):
            value = _loaded(value.strip())
        else:
            return


def _end_of_thoughts(text: str) -> int:
    return max(text.rfind(closer) for _, closer in THOUGHTS) + 1


def _objects(text: str, at: int) -> list[Any]:
    """The outermost objects, in their order."""
    return [value for _, value in _places(text, at) if value is not None]


def _begins(text: str, at: int) -> list[int]:
    """Where the object that was cut off may begin."""
    return [begin for begin, value in _places(text, at) if value is None][:MOST_CUT]


def _places(text: str, at: int) -> Iterator[tuple[int, Any]]:
    """Where an object begins, and the object, None where it is not whole."""
    for _ in range(MOST_PLACES):
        begin = BEGIN.search(text, at)
        if begin is None:
            return
        try:
            value, at = DECODER.raw_decode(text, begin.start())
        except (ValueError, RecursionError):
            value, at = None, begin.end()
        yield begin.start(), value
