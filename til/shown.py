"""A request's texts in the form that prompts show, and whose tokens are estimated. Pure, in linear time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import re2

LONGEST_LINE = 2000
"""In characters. Lines that people write are shorter; base64 and minified code have longer ones."""
SHOWN_OF_LONGER = 120
"""How much of a longer line is kept, in characters."""
MANY_MARKS = re2.compile(r"\p{M}{31,}")
"""More combining marks in a row than any language has (UAX #15, stream-safe text). Such a text is not
normalised: the time for it grows with the square of their number."""
OTHER_LINE_ENDS = re.compile("[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""Line ends for some programs, but not for git, whose lines end at LF alone."""


def shown(text: str) -> str:
    """The text in form NFC with its long lines cut. It keeps its number of lines."""
    return short_lines(composed(text))


def composed(text: str) -> str:
    """The text in Unicode's form NFC, so that Korean from macOS (NFD) equals Korean from elsewhere."""
    if text.isascii() or MANY_MARKS.search(text):
        return text
    return unicodedata.normalize("NFC", text)


def short_lines(text: str) -> str:
    """The text in which each line over `LONGEST_LINE` is replaced by its beginning and its length."""
    pieces, at = list[str](), 0
    for begin, end in long_lines(text):
        pieces.append(f"{text[at : begin + SHOWN_OF_LONGER]} (a line of {end - begin} characters)")
        at = end
    return "".join([*pieces, text[at:]]) if pieces else text


def long_lines(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each line longer than `LONGEST_LINE`. Searches a window of that length at a time."""
    at = 0
    while len(text) - at > LONGEST_LINE:
        end = text.rfind("\n", at, at + LONGEST_LINE + 1)
        if end < 0:
            end = text.find("\n", at + LONGEST_LINE)
            end = len(text) if end < 0 else end
            yield at, end
        at = end + 1


def lines_of(text: str) -> list[str]:
    """The lines, which end at LF or CR LF; other characters that could end a line become blanks."""
    unix = text.removesuffix("\n").replace("\r\n", "\n").removesuffix("\r")
    return OTHER_LINE_ENDS.sub(" ", unix).split("\n")
