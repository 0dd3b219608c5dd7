"""The JSON schema of one request's post: what may be cited is enumerated, and every length is bounded."""

from __future__ import annotations

import json
from typing import Any

from jobs.post import SECTIONS, Draft
from jobs.request import TilRequest

MOST_SOURCES = 200
MOST_POINTS = 4
KEYWORD_CHARACTERS = 32
TITLE_CHARACTERS = 120


class InvalidOutput(Exception):
    """The model's answer was not a post of the asked form."""


def post_schema(request: TilRequest, max_output_tokens: int) -> dict[str, Any]:
    """The schema of a `Draft` that cites at most the first 200 of the request's sources.

    A point's text may have as many characters as keep a post of the largest number of points near
    `max_output_tokens`: 24 points at 2 characters a token (CJK text is about 1 to 2, English about 4).
    """
    text_characters = max(60, min(600, 2 * max_output_tokens // (len(SECTIONS) * MOST_POINTS)))
    source = {"type": "string", "enum": request.sources()[:MOST_SOURCES]}
    point = _object(
        text={"type": "string", "minLength": 1, "maxLength": text_characters},
        sources={"type": "array", "items": source, "minItems": 1, "maxItems": 3},
    )
    points = {"type": "array", "items": point, "minItems": 1, "maxItems": MOST_POINTS}
    keyword = {"type": "string", "minLength": 1, "maxLength": KEYWORD_CHARACTERS}
    return _object(
        title={"type": "string", "minLength": 1, "maxLength": TITLE_CHARACTERS},
        keywords={"type": "array", "items": keyword, "minItems": 1, "maxItems": 5},
        **dict.fromkeys(SECTIONS, points),
    )


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def parse(text: str, request: TilRequest) -> Draft:
    """The answer as a draft. Raises InvalidOutput when it has another form or cites what is not there."""
    try:
        # Not strict: some servers' grammars let raw tabs and the like into a string.
        draft = Draft.model_validate(json.loads(text, strict=False))
    except ValueError as error:
        raise InvalidOutput(InvalidOutput.__doc__) from error
    known = set(request.sources())
    sections = [getattr(draft, name) for name in SECTIONS]
    cited = {source for points in sections for point in points for source in point.sources}
    if not draft.title.strip() or not draft.keywords or not all(sections) or not cited <= known:
        raise InvalidOutput(InvalidOutput.__doc__)
    return draft
