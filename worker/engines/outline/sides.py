"""A file as it was before the day and as it is after it, from its newest code and its patches. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.engines.outline.diff import Diff, Hunk

MOST_LINES_READ = 200_000
"""Lines of the newest code times patches, at the most: else the sides are read from the hunks alone."""


@dataclass(frozen=True)
class Sides:
    """The file's lines on both sides. `whole`: all of them; otherwise only those that the hunks show."""

    before: list[str]
    after: list[str]
    whole: bool


def sides_of(code: str, diffs: Sequence[Diff]) -> Sides:
    """Both sides of a day, whole where the newest code and the patches agree."""
    if diffs and all(diff.numbered for diff in diffs):
        after = code.removesuffix("\n").split("\n") if code else []
        if (code or diffs[-1].ends) and len(after) * len(diffs) <= MOST_LINES_READ:
            before = _before(after, diffs)
            if before is not None:
                return Sides(before, after, True)
    lines = [line for diff in diffs for hunk in diff.hunks for line in hunk.lines]
    return Sides(
        [text for mark, text in lines if mark != "+"], [text for mark, text in lines if mark != "-"], False
    )


def _before(after: list[str], diffs: Sequence[Diff]) -> list[str] | None:
    """The patches taken back, the newest first; None where they don't match the code."""
    lines = after
    for diff in reversed(diffs):
        taken_back = _taken_back(lines, diff.hunks)
        if taken_back is None:
            return None
        lines = taken_back
    return lines


def _taken_back(lines: list[str], hunks: Sequence[Hunk]) -> list[str] | None:
    gathered, at = list[str](), 0
    for hunk in hunks:
        new = [text for mark, text in hunk.lines if mark != "-"]
        begin = hunk.new - 1 if new else hunk.new
        if begin < at or lines[begin : begin + len(new)] != new:
            return None
        gathered += lines[at:begin]
        gathered += [text for mark, text in hunk.lines if mark != "+"]
        at = begin + len(new)
    return gathered + lines[at:]
