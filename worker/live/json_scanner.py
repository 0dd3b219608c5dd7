"""An incremental scanner for JSON that arrives in pieces, cut anywhere. Linear in the length of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

MARK = re.compile(r'[ \t\n\r]*([{}\[\],:"]|\Z)')
PLAIN = re.compile(r'[^"\\]+')
ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\"\\/bfnrt]))"
)
UNFINISHED = re.compile(
    r"\\(?:u[0-9a-fA-F]{0,3}|u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?)?\Z"
)
"""An escape whose rest is still to come: a part of it, or the first half of a surrogate pair."""
SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
Token = tuple[str, str]
"""`(mark, "")` for one of `{ } [ ] , :` and for `"` at the beginning of a string, `("text", part)` for a part
of a string, `("end", "")` for its end."""


class NotJson(ValueError):
    """The text is no JSON, or has values other than objects, arrays and strings."""


class JsonScanner:
    """Scans one JSON text."""

    def __init__(self) -> None:
        self._rest = ""
        self._inside = False

    def feed(self, delta: str) -> Iterator[Token]:
        """The tokens that are complete with these characters. Raises NotJson."""
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
            elif UNFINISHED.match(text, at):
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
