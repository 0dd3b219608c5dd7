"""Makes text from commits, posts and errors safe to print: no escape sequences, no markup."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

# C0 except tab and newline, DEL, C1, bidirectional controls (which can disguise text), lone surrogates.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
PIPE_COLUMNS = 160


def clean(value: object) -> str:
    """The text without control characters; newlines and tabs stay."""
    return CONTROL.sub("", str(value))


def clean_line(value: object) -> str:
    """`clean`, on one line."""
    return " ".join(clean(value).split())


def plain(value: object, style: str = "") -> Text:
    """One safe line for rich, which doesn't parse markup in a Text."""
    return Text(clean_line(value), style=style)


def json_text(value: Any) -> str:
    """Indented JSON with every control character escaped, also those that JSON doesn't require."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def is_interactive() -> bool:
    """Whether both output streams are terminals."""
    return sys.stdout.isatty() and sys.stderr.isatty()


def output() -> Console:
    """Standard output; in a pipe it is wide enough that no row of a table is wrapped."""
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)


def notes() -> Console:
    """Standard error: progress, notes and errors."""
    return Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def note(text: str, style: str = "") -> None:
    """One safe line on standard error."""
    notes().print(plain(text, style))
