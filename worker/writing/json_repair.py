"""JSON that was cut off: what of it is complete."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import from_json

BLANKS = {code: " " for code in range(32)}
"""Line ends and tabs that a model wrote raw into a string, where JSON allows none."""
ESCAPE = re.compile(r"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(u[dD][89a-fA-F]\w\w)|.)", re.DOTALL)
"""A pair of surrogates; half of one, which is no character; any other escape."""


def complete(text: str) -> dict[str, Any]:
    """The JSON object that a cut text begins, without the string that was cut. O(characters)."""
    text = ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], text.translate(BLANKS))
    try:
        value = from_json(text.encode(errors="replace"), allow_partial=True)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
