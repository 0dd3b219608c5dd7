"""What a text of a request may consist of."""

from __future__ import annotations

import re

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text, if it can be written as UTF-8 and stored by PostgreSQL, which has no NUL in texts."""
    found = NOT_TEXT.search(text)
    if found is None:
        return text
    what = "a NUL character" if found[0] == "\x00" else "half of a surrogate pair"
    raise PydanticCustomError("not_text", "Text may not contain {what}.", {"what": what})


STORABLE = AfterValidator(storable)
"""For every text of a request: its body's, its path's, its query's and its headers'."""
