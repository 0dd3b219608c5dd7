"""Which characters a text in a request may have."""

from __future__ import annotations

import re

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text, if it can be UTF-8 and has no NUL, which PostgreSQL can't store; else a validation error."""
    found = NOT_TEXT.search(text)
    if found is None:
        return text
    what = "a NUL character" if found[0] == "\x00" else "half of a surrogate pair"
    raise PydanticCustomError("not_text", "Text may not contain {what}.", {"what": what})


STORABLE = AfterValidator(storable)
"""Validator for every text of a request: in its body, path, query and headers."""
