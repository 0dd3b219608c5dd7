"""How a text of a request is shown to a model, and so how its size is estimated. Pure, in linear time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import re2

LONGEST_LINE = 2000
"""In characters; people write no longer ones, but base64 and minified code have them."""
SHOWN_OF_LONGER = 120
MANY_MARKS = re2.compile(r"\p{M}{31,}")
"""More combining marks in a row than any language has (UAX #15, stream-safe text): to compose them takes
the square of their number."""
OTHER_LINE_ENDS = re.compile("[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""What some readers take for the end of a line. In git a line ends at LF alone."""


def shown(text: str) -> str:
    """The text composed, its long lines cut. It has as many lines as before."""
    return short_lines(composed(text))


def composed(text: str) -> str:
    """The text in Unicode's form NFC: Korean from a Mac is the same text as from elsewhere."""
    if text.isascii() or MANY_MARKS.search(text):
        return text
    return unicodedata.normalize("NFC", text)


def short_lines(text: str) -> str:
    """The text with the beginning and the length of each line that is longer than `LONGEST_LINE`."""
    written, at = list[str](), 0
    for begin, end in long_lines(text):
        written.append(f"{text[at : begin + SHOWN_OF_LONGER]} (a line of {end - begin} characters)")
        at = end
    return "".join([*written, text[at:]]) if written else text


def long_lines(text: str) -> Iterator[tuple[int, int]]:
    """Where the lines longer than `LONGEST_LINE` begin and end. Reads a window of that length at a time."""
    at = 0
    while len(text) - at > LONGEST_LINE:
        end = text.rfind("\n", at, at + LONGEST_LINE + 1)
        if end < 0:
            end = text.find("\n", at + LONGEST_LINE)
            end = len(text) if end < 0 else end
            yield at, end
        at = end + 1


def lines_of(text: str) -> list[str]:
    """The lines, which end at LF or CR LF; what else may look like an end of a line is a blank."""
    unix = text.removesuffix("\n").replace("\r\n", "\n").removesuffix("\r")
    return OTHER_LINE_ENDS.sub(" ", unix).split("\n")
