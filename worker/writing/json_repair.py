"""Repairs JSON that was cut off: keeps the values that are complete."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import from_json

BLANKS = {code: " " for code in range(32)}
"""Raw control characters, such as tabs, which JSON forbids in strings but models write there."""
ESCAPE = re.compile(r"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(u[dD][89a-fA-F]\w\w)|.)", re.DOTALL)
"""A surrogate pair; a lone surrogate (group 1), which is no character; any other escape."""


def complete(text: str) -> dict[str, Any]:
    """The JSON object that the text begins, without a string that was cut off; {} for none. Linear."""
    text = ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], text.translate(BLANKS))
    try:
        value = from_json(text.encode(errors="replace"), allow_partial=True)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
