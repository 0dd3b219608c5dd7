"""What a model is told when its answer can't be used and it is asked once more. Pure."""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationError

from til.post import Draft, Point
from worker.engines import Call

MOST_ERRORS = 5
MOST_CHARACTERS = 400
KNOWN = Draft.model_fields.keys() | Point.model_fields.keys()


def what_is_wrong(error: ValidationError) -> str:
    """The first places of a draft that are not as they must be.

    A name that the model has made up is not repeated: its answer may hold what a commit wants it to say.
    """
    details = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{_place(one['loc'])}: {one['msg']}" for one in details[:MOST_ERRORS]]
    return "; ".join(dict.fromkeys(told))


def _place(location: tuple[int | str, ...]) -> str:
    parts = [str(part) if isinstance(part, int) or part in KNOWN else "?" for part in location]
    return ".".join(parts) or "the answer"


def corrected(call: Call, why: str) -> Call:
    """The call with what was wrong with the answer to the one before, behind the data's last marker."""
    note = f"Your last answer to this could not be used: {why[:MOST_CHARACTERS]}.\n"
    return replace(
        call, user=f"{call.user}{note}Answer again, with the JSON object alone.\n", prompt_ids=None
    )
