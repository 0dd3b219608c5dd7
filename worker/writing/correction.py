"""The note in the second prompt that says what was wrong with the first answer. Pure."""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationError

from til.post import Draft, Point
from worker.engines import Call

MOST_ERRORS = 5
MOST_CHARACTERS = 400
KNOWN = Draft.model_fields.keys() | Point.model_fields.keys()


def describe_errors(error: ValidationError) -> str:
    """The first errors of a draft, with their places.

    Names that are not in the schema are replaced by `?`: the answer may contain instructions from a commit,
    which must not get into the prompt.
    """
    details = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{_place(one['loc'])}: {one['msg']}" for one in details[:MOST_ERRORS]]
    return "; ".join(dict.fromkeys(lines))


def _place(location: tuple[int | str, ...]) -> str:
    parts = [str(part) if isinstance(part, int) or part in KNOWN else "?" for part in location]
    return ".".join(parts) or "the answer"


def with_correction(call: Call, why: str) -> Call:
    """The call with a note on the last answer at the end of the prompt, after the data's end marker."""
    note = f"Your last answer to this could not be used: {why[:MOST_CHARACTERS]}.\n"
    return replace(
        call, user=f"{call.user}{note}Answer again, with the JSON object alone.\n", prompt_ids=None
    )
