"""The JSON schemas of a request's answers, with an enum of what may be cited; and parsing the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from til.post import KEYWORD_CHARACTERS, SECTIONS, TITLE_CHARACTERS, Draft
from til.request import Language
from til.shown import composed
from worker.engines.chat_request import object_schema
from worker.writing.correction import describe_errors
from worker.writing.prompt import Note

MOST_SOURCES = 1000
MOST_POINTS = 3
MOST_FREE_POINTS = 12
"""In a section, for an engine that generates no tokens."""
MOST_NOTES = 6
SHORTEST_TEXT, LONGEST_TEXT = 60, 400
CHARACTERS_PER_TOKEN: dict[Language, float] = {"en": 3.0, "ko": 1.2, "ja": 1.2, "zh": 1.2}
"""Of prose, a low estimate: tokenizers with 32k to 262k tokens have 4 in English, 1.3 to 2 in the others."""
SOURCE_CHARACTERS_PER_TOKEN = 2.0
"""Of paths and SHAs; SHAs are the worst, with two hexadecimal digits a token."""
POINT_TOKENS = 12
"""Braces, quotes and names of one point."""


class InvalidOutput(Exception):
    """The model's answer was not a post of the asked form.

    `why` is for the second prompt and the log; it contains no text of the answer.
    """

    def __init__(self, why: str = "") -> None:
        super().__init__("The model's answer was not a post of the asked form.")
        self.why = why


def post_schema(
    sources: Sequence[str], language: Language, max_output_tokens: int | None, tight: bool = False
) -> dict[str, Any]:
    """The schema of a `Draft` that cites `sources`, the first thousand at the most.

    The longest answer that it allows has at most `max_output_tokens`, by the rates above: with few tokens
    there are fewer points, then fewer sources a point. `tight`: half as long. None: for an engine that
    generates no tokens; it may cite all sources, in `MOST_FREE_POINTS` points a section.
    """
    if max_output_tokens is None:
        points, cited, characters = MOST_FREE_POINTS, 2, LONGEST_TEXT
    else:
        budget = max_output_tokens // 2 if tight else max_output_tokens
        sources = sources[:MOST_SOURCES]
        points, cited, characters = lengths(sources, language, budget)
    keyword = {"type": "string", "minLength": 1, "maxLength": KEYWORD_CHARACTERS}
    section = {"type": "array", "items": {"$ref": "#/$defs/point"}, "minItems": 1, "maxItems": points}
    schema = object_schema(
        title={"type": "string", "minLength": 1, "maxLength": TITLE_CHARACTERS},
        keywords={"type": "array", "items": keyword, "minItems": 1, "maxItems": 5},
        **dict.fromkeys(SECTIONS, section),
    )
    return schema | _definitions(sources, characters, cited)


def lengths(sources: Sequence[str], language: Language, tokens: int) -> tuple[int, int, int]:
    """Points a section, sources a point and characters a text, such that the longest answer fits `tokens`."""
    rate = CHARACTERS_PER_TOKEN[language]
    head = (TITLE_CHARACTERS + 5 * KEYWORD_CHARACTERS) / rate / 2 + 10 * len(SECTIONS)
    source = max(map(len, sources), default=0) / SOURCE_CHARACTERS_PER_TOKEN + 3
    choices = [(points, cited) for cited in (2, 1) for points in range(MOST_POINTS, 0, -1)]
    for points, cited in choices:
        for_text = (tokens - head) / (points * len(SECTIONS)) - POINT_TOKENS - cited * source
        if for_text * rate >= SHORTEST_TEXT:
            return points, cited, min(LONGEST_TEXT, int(for_text * rate))
    return 1, 1, SHORTEST_TEXT


def notes_schema(sources: Sequence[str], most_notes: int, characters: int) -> dict[str, Any]:
    """The schema of the notes on a part of a day."""
    notes = {
        "type": "array",
        "items": {"$ref": "#/$defs/point"},
        "minItems": 1,
        "maxItems": min(MOST_NOTES, most_notes),
    }
    return object_schema(notes=notes) | _definitions(sources[:MOST_SOURCES], characters, 2)


def _definitions(sources: Sequence[str], characters: int, cited: int) -> dict[str, Any]:
    """The schemas of a point and of a source, which all sections refer to."""
    point = object_schema(
        text={"type": "string", "minLength": 1, "maxLength": characters},
        sources={"type": "array", "items": {"$ref": "#/$defs/source"}, "minItems": 1, "maxItems": cited},
    )
    source = {"type": "string", "enum": list(sources)}
    return {"$defs": {"point": point, "source": source}}


def parse(answer: Any, labels: Mapping[str, str]) -> Draft:
    """The answer as a draft; incomplete points are left out.

    `labels`: each source by its label, which is how answers cite it. Raises InvalidOutput when the answer has
    another form, an empty section, or cites an unknown label.
    """
    try:
        draft = Draft.model_validate(_without_incomplete_points(answer))
    except ValidationError as error:
        raise InvalidOutput(describe_errors(error)) from error
    sections = {name: getattr(draft, name) for name in SECTIONS}
    points = [point for section in sections.values() for point in section]
    for point in points:
        point.sources = list(map(composed, point.sources))
    named = {"title": draft.title.strip(), "keywords": draft.keywords, **sections}
    if empty := [name for name, value in named.items() if not value]:
        raise InvalidOutput(f"{', '.join(empty)} must not be empty")
    for name, section in sections.items():
        if not labels.keys() >= {source for point in section for source in point.sources}:
            raise InvalidOutput(f"{name} cites a source that is no SHA or path of the commits above")
    for point in points:
        point.sources = [labels[source] for source in point.sources]
    return draft


def _without_incomplete_points(answer: Any) -> Any:
    if not isinstance(answer, dict):
        return answer
    complete = {
        name: [p for p in answer[name] if not _is_incomplete(p)]
        for name in SECTIONS
        if _is_list(answer, name)
    }
    return answer | complete


def _is_list(answer: dict[str, Any], name: str) -> bool:
    return isinstance(answer.get(name), list)


def _is_incomplete(point: Any) -> bool:
    """A point without text or sources: the answer was cut off there."""
    return isinstance(point, dict) and (not point.get("text") or not point.get("sources"))


def parse_notes(answer: Any, labels: Mapping[str, str]) -> list[Note]:
    """The complete notes of an answer that cite known labels. Raises InvalidOutput when there are none."""
    notes = answer.get("notes") if isinstance(answer, dict) else None
    found = [
        Note(str(note["text"]), [composed(str(source)) for source in note["sources"]])
        for note in (notes if isinstance(notes, list) else [])
        if isinstance(note, dict) and note.get("text") and isinstance(note.get("sources"), list)
    ]
    known = [note for note in found if note.sources and labels.keys() >= set(note.sources)]
    if not known:
        raise InvalidOutput("there is no note with a text and with sources from the commits above")
    return [Note(note.text, [labels[source] for source in note.sources]) for note in known]


def as_json(text: str) -> Any:
    """Parse JSON. Raw control characters in strings are allowed: some servers' grammars let them through.

    Raises InvalidOutput.
    """
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise InvalidOutput("it is not JSON") from error
