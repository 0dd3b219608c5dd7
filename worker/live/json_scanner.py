"""JSON as it comes in, cut anywhere: its marks, and its strings in parts. Nothing is read twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

MARK = re.compile(r'[ \t\n\r]*([{}\[\],:"]|\Z)')
PLAIN = re.compile(r'[^"\\]+')
ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\"\\/bfnrt]))"
)
BEGUN = re.compile(r"\\(?:u[0-9a-fA-F]{0,3}|u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?)?\Z")
"""An escape that may go on: half of it, or the first half of a surrogate pair."""
SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
Piece = tuple[str, str]
"""A mark (`{ } [ ] , :`, or `"` where a string begins), or `("text", part)` of a string, or `("end", "")`."""


class NotJson(ValueError):
    """The text is no JSON, or has values other than objects, arrays and strings."""


class JsonPieces:
    """The pieces of one JSON text."""

    def __init__(self) -> None:
        self._rest = ""
        self._inside = False

    def of(self, delta: str) -> Iterator[Piece]:
        """What these characters complete. Raises NotJson."""
        text, at, self._rest = self._rest + delta, 0, ""
        while at < len(text):
            if not self._inside:
                at, mark = _mark(text, at)
                self._inside = mark == '"'
                if mark:
                    yield mark, ""
            elif text[at] == '"':
                at, self._inside = at + 1, False
                yield "end", ""
            elif plain := PLAIN.match(text, at):
                at = plain.end()
                yield "text", plain[0]
            elif BEGUN.match(text, at):
                self._rest = text[at:]
                return
            else:
                at, character = _escape(text, at)
                yield "text", character


def _mark(text: str, at: int) -> tuple[int, str]:
    found = MARK.match(text, at)
    if found is None:
        raise NotJson
    return found.end(), found[1]


def _escape(text: str, at: int) -> tuple[int, str]:
    found = ESCAPE.match(text, at)
    if found is None:
        raise NotJson
    high, low, code, short = found.groups()
    if high:
        return found.end(), chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    return found.end(), chr(int(code, 16)) if code else SHORT.get(short, short)
