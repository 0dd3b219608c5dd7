"""The versions of a file before and after the day, from its newest code and its patches. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.engines.outline.diff import Diff, Hunk

MOST_LINES_READ = 200_000
"""Lines of the newest code times patches; beyond that the versions are read from the hunks alone."""


@dataclass(frozen=True)
class Versions:
    """The file's lines before and after the day. `whole`: all lines; else only those in the hunks."""

    before: list[str]
    after: list[str]
    whole: bool


def versions_of(code: str, diffs: Sequence[Diff]) -> Versions:
    """Both versions, whole if the patches apply to the newest code."""
    if diffs and all(diff.numbered for diff in diffs):
        after = code.removesuffix("\n").split("\n") if code else []
        if (code or diffs[-1].ends) and len(after) * len(diffs) <= MOST_LINES_READ:
            before = _before(after, diffs)
            if before is not None:
                return Versions(before, after, True)
    lines = [line for diff in diffs for hunk in diff.hunks for line in hunk.lines]
    return Versions(
        [text for mark, text in lines if mark != "+"], [text for mark, text in lines if mark != "-"], False
    )


def _before(after: list[str], diffs: Sequence[Diff]) -> list[str] | None:
    """The lines with all patches reverted, the newest first; None if a patch does not match."""
    lines = after
    for diff in reversed(diffs):
        reverted = _revert(lines, diff.hunks)
        if reverted is None:
            return None
        lines = reverted
    return lines


def _revert(lines: list[str], hunks: Sequence[Hunk]) -> list[str] | None:
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
