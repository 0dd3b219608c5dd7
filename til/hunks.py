"""A day's files in pieces: hunks, the code around them; and which files nobody wrote by hand. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from til.generated import HEAD_CHARACTERS, says_generated
from til.request import ChangedFile, Patch
from til.shown import LONGEST_LINE, long_lines

GENERATED_NAME = re.compile(
    r"(\.lock|[-.]lock\.(json|ya?ml)|\.min\.(js|css)|\.[cm]?(js|css)\.map|\.(svg|snap|pb\.go)|_pb2(_grpc)?\.pyi?|\.g\.dart"
    r"|(^|/)(go\.sum|npm-shrinkwrap\.json|Pipfile\.lock|\.pnp\.c?js))$",
    re.IGNORECASE,
)
GENERATED_FOLDER = re.compile(
    r"(^|/)(node_modules|__snapshots__)/|^vendor/|/vendor/([\w-]+\.[a-z]+|bundle|composer)/", re.IGNORECASE
)
BUILT_FOLDER = re.compile(r"(^|/)dist/", re.IGNORECASE)
BUILT = re.compile(r"\.([cm]?js|css|html|json|d\.[cm]?ts)$", re.IGNORECASE)
"""Built files only: `vendor` and `dist` are also names of folders with sources (sellers, distributions)."""
MESSAGE_CHARACTERS = 4000
"""A prompt shows at most this much of a commit message."""
BINARY = re.compile(r"^(GIT binary patch|Binary files .* differ)$", re.MULTILINE)
BINARY_WORD = "inary "
"""Part of both forms of `BINARY`: to search for it first takes a tenth of the time."""
HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")
"""A hunk's header. `hunks` checks that it starts a line: `^` in the pattern would try every line, slowly."""
FIRST_LINE = re.compile(r"@@ -(?:1(?:,\d+)? \+(0),0|\d+(?:,\d+)? \+1(?:,\d+)?) @@")
"""The header of a hunk that contains the file's first line. Group 1: the patch deletes the file."""


class Hunk(NamedTuple):
    """One hunk of a patch; `first` and `last`: its line numbers in the new file, 0 if unknown."""

    text: str
    first: int = 0
    last: int = 0


def reasons(files: Sequence[ChangedFile]) -> list[str | None]:
    """`left_out` of each file of a day. If all files are generated or binary, the generated ones are kept."""
    found = [left_out(file) for file in files]
    return [why if why == "binary" else None for why in found] if all(found) else found


def left_out(file: ChangedFile) -> str | None:
    """Why this file's changes are left out of prompts: `binary` or `generated`; None: they are not."""
    if any(_is_binary(patch.patch) for patch in file.patches) or "\x00" in file.latest_code:
        return "binary"
    path = file.filepath
    generated = _is_generated_path(path) or says_generated(path, _head(file)) or _is_minified(file)
    return "generated" if generated else None


def _is_generated_path(path: str) -> bool:
    if GENERATED_NAME.search(path) or GENERATED_FOLDER.search(path):
        return True
    return BUILT_FOLDER.search(path) is not None and BUILT.search(path) is not None


def _is_binary(patch: str) -> bool:
    return BINARY_WORD in patch and BINARY.search(patch) is not None


def _head(file: ChangedFile) -> str:
    """The first lines of the file, from its code or else from its patches; "" if neither has them."""
    if file.latest_code:
        return file.latest_code[:HEAD_CHARACTERS]
    return next(filter(None, map(_head_in, reversed(file.patches))), "")


def _head_in(patch: Patch) -> str:
    """The first lines of the file as this patch left them, or as they were before it removed the file."""
    found = FIRST_LINE.search(patch.patch)
    if found is None or patch.patch[found.start() - 1 : found.start()] not in "\n":
        return ""
    begin = patch.patch.find("\n", found.end()) + 1
    lines = patch.patch[begin : begin + HEAD_CHARACTERS].partition("\n@@")[0].split("\n")
    marks = " -" if found[1] == "0" else " +"
    return "\n".join(line[1:] for line in lines if line[:1] in marks)


def _is_minified(file: ChangedFile) -> bool:
    """Whether every line of the file is long; without its code, every line that its last patch changes."""
    text = file.latest_code or file.patches[-1].patch
    if next(long_lines(text), None) is None:
        return False
    if file.latest_code:
        return all(len(line) > LONGEST_LINE for line in text.split("\n") if line.strip())
    diff = "".join(hunk.text for hunk in hunks(text))
    return all(len(line) > LONGEST_LINE for line in diff.split("\n") if line[:1] in ("+", "-"))


def hunks(patch: str) -> list[Hunk]:
    """The hunks of a unified diff, without its file headers; a text without `@@` is one hunk."""
    starts = [match for match in HUNK.finditer(patch) if patch[match.start() - 1 : match.start()] in "\n"]
    if not starts:
        return [Hunk(patch)] if patch.strip() else []
    ends = [match.start() for match in starts[1:]] + [len(patch)]
    return [_hunk(match, patch[match.start() : end]) for match, end in zip(starts, ends, strict=True)]


def _hunk(match: re.Match[str], text: str) -> Hunk:
    first, count = int(match[1][:9]), int((match[2] or "1")[:9])
    return Hunk(text, first, first + max(1, count) - 1)


def code_around(code: str, diff: Sequence[Hunk], window: int = 12) -> Iterator[tuple[int, int, str]]:
    """The newest code that no hunk shows, as (distance, first line, text) of up to `window` lines each.

    Distance is in lines from the nearest hunk; where no hunk has line numbers, from the top of the file.
    """
    lines = code.split("\n")
    shown = sorted({(hunk.first, hunk.last) for hunk in diff if hunk.first})
    first = 1
    for begin, end in [*shown, (len(lines) + 1, 0)]:
        yield from _windows(lines, first, min(begin, len(lines) + 1), window)
        first = max(first, end + 1)


def _windows(lines: list[str], first: int, end: int, window: int) -> Iterator[tuple[int, int, str]]:
    """The gap [first, end) between two hunks, cut so that its windows lie close to one of them."""
    after_one, before_one = first > 1, end <= len(lines)
    middle = (first + end) // 2 if after_one and before_one else first if before_one else end
    for begin in range(first, middle, window):
        last = min(begin + window, middle)
        yield begin - first + 1, begin, "\n".join(lines[begin - 1 : last - 1])
    for stop in range(end, middle, -window):
        begin = max(stop - window, middle)
        yield end - stop + 1, begin, "\n".join(lines[begin - 1 : stop - 1])
