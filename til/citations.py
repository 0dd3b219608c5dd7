"""A source as it is shown and cited."""

from __future__ import annotations

import re

from til.control_tokens import broken_up
from til.markdown import one_line
from til.shown import composed

TAG = re.compile(r"<(?=[|/\w])|\[(?=/?[A-Z_]+\])")
"""Where any tag may begin: what is cited is broken up more readily, in the prompt as in the schema."""


def label(source: str) -> str:
    """A SHA or a path as it is shown and cited: composed, on one line, and no model's control token."""
    return broken_up(TAG.sub(r"\g<0> ", one_line(composed(source))))
