"""The schema that the proof sends: it has the keywords of posts' schemas, and all are checked. Pure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.worker.model_server import smallest
from worker.engines.proof import probe_schema, satisfies
from worker.writing.schema import notes_schema, post_schema


def keywords_of(schema: Any) -> set[str]:
    """The JSON schema keywords in it, and the types."""
    if isinstance(schema, list):
        return set().union(*map(keywords_of, schema))
    if not isinstance(schema, dict):
        return set()
    found = {f"type {schema['type']}"} if isinstance(schema.get("type"), str) else set()
    for word, value in schema.items():
        named = word in ("properties", "$defs")
        found |= {word} | (keywords_of(list(value.values())) if named else keywords_of(value))
    return found


def test_the_proof_has_the_keywords_of_the_schemas_of_answers() -> None:
    used = keywords_of(post_schema(["a.py"], "en", 2048)) | keywords_of(notes_schema(["a.py"], 3, 100))
    assert used == keywords_of(probe_schema(["a", "b"]))


GOOD: dict[str, Any] = {"title": "x", "points": [{"text": "x", "sources": ["a", "b"]}] * 2}


def changed(**point: Any) -> dict[str, Any]:
    return GOOD | {"points": [GOOD["points"][0], {"text": "x", "sources": ["a", "b"]} | point]}


@pytest.mark.parametrize(
    "value",
    [
        GOOD | {"more": 1},
        {"title": "x"},
        GOOD | {"title": ""},
        GOOD | {"title": "xxxxx"},
        GOOD | {"title": None},
        GOOD | {"points": GOOD["points"][:1]},
        GOOD | {"points": [1, 2]},
        GOOD | {"title": ["x"]},
        changed(text=""),
        changed(text=["x"]),
        changed(text="x" * 13),
        changed(more=1),
        changed(sources=["a"]),
        changed(sources=["a", "c"]),
        changed(sources=[["a"], "b"]),
        [],
        None,
    ],
)
def test_a_value_with_one_violation_does_not_satisfy_the_schema(value: Any) -> None:
    schema = probe_schema(["a", "b"])
    assert satisfies(schema, json.dumps(GOOD))
    assert satisfies(schema, json.dumps(smallest(schema)))
    assert not satisfies(schema, json.dumps(value))
    assert not satisfies(schema, json.dumps(GOOD)[:-1])
