"""How a source (a commit's SHA or a file's path) is written in prompts and cited in posts."""

from __future__ import annotations

import re

from til.control_tokens import broken_up
from til.markdown import one_line
from til.shown import composed

TAG = re.compile(r"<(?=[|/\w])|\[(?=/?[A-Z_]+\])")
"""The start of anything like a tag. Broader than `CONTROL`: prompt and schema must have the same spelling."""


def label(source: str) -> str:
    """A SHA or a path in Unicode's form NFC, on one line, without any model's control token."""
    return broken_up(TAG.sub(r"\g<0> ", one_line(composed(source))))
