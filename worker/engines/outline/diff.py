"""Parses one patch of a request: its hunks, and whether the file is new, deleted or renamed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
RENAMED = re.compile(r"rename from (.+)")
Line = tuple[str, str]
"""The mark (`+`, `-` or a space), and the line without it."""


@dataclass(frozen=True)
class Hunk:
    """Lines of a file. `old`, `new`: the number of the first line before and after; 0: there is none."""

    old: int
    new: int
    lines: list[Line]


@dataclass(frozen=True)
class Diff:
    """A patch. `numbered`: every line belongs to a hunk with line numbers."""

    hunks: list[Hunk]
    numbered: bool
    added: int
    removed: int
    renamed_from: str | None
    begins: bool
    """The file was empty or did not exist before."""
    ends: bool
    """The file is empty or deleted after it."""


def read_patch(patch: str) -> Diff:
    """Parse the patch. Lines end at LF only. Linear."""
    hunks, heads = list[Hunk](), list[str]()
    hunk, left_old, left_new = Hunk(0, 0, []), 0, 0
    for before, line, following in _lines(patch):
        inside = left_old > 0 or left_new > 0
        if match := HUNK.match(line):
            hunk = Hunk(int(match[1]), int(match[3]), [])
            hunks.append(hunk)
            left_old, left_new = int(match[2] or 1), int(match[4] or 1)
        elif line[:1] not in "+- " or (not inside and _is_head(before, line, following)):
            heads.append(line)
            if not line.startswith("\\"):
                left_old = left_new = 0
        else:
            mark = line[:1] or " "
            hunk.lines.append((mark, line[1:]))
            left_old -= mark != "+"
            left_new -= mark != "-"
    return _diff(hunks, hunk, heads)


def _lines(patch: str) -> Iterator[tuple[str, str, str]]:
    """Each line with the one before and the one after it; "" where there is none."""
    lines = patch.removesuffix("\n").split("\n")
    yield from zip(["", *lines[:-1]], lines, [*lines[1:], ""], strict=True)


def _is_head(before: str, line: str, following: str) -> bool:
    """Whether a line outside of hunks is no content: empty, or `---` and `+++` of a file's head."""
    return (
        not line
        or (line.startswith("--- ") and following.startswith("+++ "))
        or (line.startswith("+++ ") and before.startswith("--- "))
    )


def _diff(hunks: list[Hunk], last: Hunk, heads: list[str]) -> Diff:
    loose = not hunks and bool(last.lines)
    found = [last] if loose else hunks
    marks = [mark for hunk in found for mark, _ in hunk.lines]
    names = [match[1] for line in heads if (match := RENAMED.fullmatch(line.rstrip("\r")))]
    head = "\n".join(heads)
    one = None if loose or len(found) != 1 else found[0]
    return Diff(
        hunks=found,
        numbered=not loose,
        added=marks.count("+"),
        removed=marks.count("-"),
        renamed_from=names[0] if names else None,
        begins="new file mode" in head or "--- /dev/null" in head or (one is not None and one.old == 0),
        ends="deleted file mode" in head or "+++ /dev/null" in head or (one is not None and one.new == 0),
    )
