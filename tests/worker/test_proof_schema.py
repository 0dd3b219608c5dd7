"""The schema of a proof: it uses what those of answers use, and what breaks it proves nothing. Pure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.worker.model_server import least
from worker.engines.proof import keeps_to, schema_of
from worker.writing.schema import notes_schema, post_schema


def words_of(schema: Any) -> set[str]:
    """The keywords of JSON schema that it uses, with the types."""
    if isinstance(schema, list):
        return set().union(*map(words_of, schema))
    if not isinstance(schema, dict):
        return set()
    found = {f"type {schema['type']}"} if isinstance(schema.get("type"), str) else set()
    for word, value in schema.items():
        named = word in ("properties", "$defs")
        found |= {word} | (words_of(list(value.values())) if named else words_of(value))
    return found


def test_the_schema_of_the_proof_uses_all_that_those_of_answers_use() -> None:
    used = words_of(post_schema(["a.py"], "en", 2048)) | words_of(notes_schema(["a.py"], 3, 100))
    assert used == words_of(schema_of(["a", "b"]))


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
def test_what_breaks_the_schema_in_one_place_is_no_proof(value: Any) -> None:
    schema = schema_of(["a", "b"])
    assert keeps_to(schema, json.dumps(GOOD))
    assert keeps_to(schema, json.dumps(least(schema)))
    assert not keeps_to(schema, json.dumps(value))
    assert not keeps_to(schema, json.dumps(GOOD)[:-1])
