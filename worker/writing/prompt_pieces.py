"""Splits a day into the pieces of a prompt. Pure.

Header lines begin with `#`, and every line of data with a space, `+`, `-`, `@` or a backslash: so no data can
look like a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from til.citations import label
from til.hunks import MESSAGE_CHARACTERS, Hunk, code_around, hunks, reasons
from til.markdown import one_line
from til.request import ChangedFile, Patch, TilRequest
from til.shown import OTHER_LINE_ENDS, composed, lines_of, long_lines, short_lines, shown

SUBJECT_CHARACTERS = 200
CUT = " [cut]\n"
DIFF = " +-@\\"
NO_DIFF = re.compile(r"\n(?![ +@\\-]|\Z)")
"""Matches before a line that can't be in a diff, such as an empty one."""


@dataclass(frozen=True)
class Piece:
    """The smallest unit that is kept or left out: a hunk, or a commit's message.

    `file` and `commit` are header lines, written above it where they differ from those of the piece before.
    `sources`: what may be cited for it.
    """

    path: str
    file: str
    commit: str
    text: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Lines of a file's newest code from line `first` on, `distance` lines from the nearest change.

    `index`: of the file in the request.
    """

    distance: int
    index: int
    path: str
    first: int
    text: str


@dataclass(frozen=True)
class Day:
    """The changes in the order of the request, the code nearest to them first, and what is left out."""

    changes: list[Piece]
    code: list[Code]
    dropped: list[str]


def read_day(request: TilRequest) -> Day:
    """Split the request. Generated and binary files appear by name only, unless nothing else was changed."""
    day, seen = Day([], [], []), set[tuple[str, str]]()
    for index, (file, reason) in enumerate(zip(request.files, reasons(request.files), strict=True)):
        if reason:
            head = f"# file {label(file.filepath)} ({reason}, left out)\n"
            day.changes.append(Piece(file.filepath, head, "", "", (file.filepath,)))
            day.dropped.append(f"{file.filepath} ({reason})")
        else:
            patches = [composed(patch.patch) for patch in file.patches]
            if any(next(long_lines(patch), None) for patch in patches):
                day.dropped.append(f"{file.filepath} (long lines, cut)")
            diffs = [hunks(short_lines(patch)) for patch in patches]
            day.changes.extend(_changes(file, diffs, seen))
            day.code.extend(_code(file, diffs, index))
    day.code.sort(key=lambda code: (code.distance, code.index, code.first))
    return day


def _changes(
    file: ChangedFile, diffs: Sequence[Sequence[Hunk]], seen: set[tuple[str, str]]
) -> Iterator[Piece]:
    """Each commit to this file with its hunks. `seen`: commits whose message body is in an earlier piece."""
    head = f"# file {label(file.filepath)}\n"
    for patch, diff in zip(file.patches, diffs, strict=True):
        sources = (patch.sha, file.filepath) if patch.sha else (file.filepath,)
        commit, body = _commit(patch, seen)
        yield Piece(file.filepath, head, commit, body, sources)
        for hunk in diff:
            yield Piece(file.filepath, head, commit, as_diff(hunk.text), sources)


def _commit(patch: Patch, seen: set[tuple[str, str]]) -> tuple[str, str]:
    """The header line of a commit, and the body of its message unless it was seen before."""
    subject, _, body = composed(patch.commit_message).strip().partition("\n")
    head = f"# commit {patch.sha or 'without sha'}: {one_line(subject)[:SUBJECT_CHARACTERS]}\n"
    key, body = (patch.sha or "", patch.commit_message), body.strip()
    if key in seen or not body:
        return head, ""
    seen.add(key)
    return head, indented(body[:MESSAGE_CHARACTERS]) + (CUT if len(body) > MESSAGE_CHARACTERS else "")


def _code(file: ChangedFile, diffs: Sequence[Sequence[Hunk]], index: int) -> Iterator[Code]:
    code = shown(file.latest_code)
    for distance, first, text in code_around(code, [hunk for diff in diffs for hunk in diff]):
        if not text.isspace():
            yield Code(distance, index, file.filepath, first, text)


def as_diff(text: str) -> str:
    """The lines of a hunk; a space is put before lines that can't be in a diff, such as empty ones."""
    whole = text if text.endswith("\n") else f"{text}\n"
    if whole[0] in DIFF and not NO_DIFF.search(whole) and not OTHER_LINE_ENDS.search(whole):
        return whole
    return "".join(f"{line}\n" if line and line[0] in DIFF else f" {line}\n" for line in lines_of(whole))


def indented(text: str) -> str:
    """Each line with a space before it."""
    return "".join(f" {line}\n" for line in lines_of(text))


def citable(request: TilRequest) -> tuple[list[str], list[str]]:
    """What may be cited of a day (SHAs, then paths, each once) and what is left out; no diff is parsed."""
    shas, dropped = dict[str, None](), list[str]()
    for file, reason in zip(request.files, reasons(request.files), strict=True):
        if reason:
            dropped.append(f"{file.filepath} ({reason})")
            continue
        shas.update((patch.sha, None) for patch in file.patches if patch.sha)
    paths = dict.fromkeys(file.filepath for file in request.files)
    return [*shas, *paths], dropped


def text_of(pieces: Sequence[Piece]) -> str:
    """The pieces one after the other, with the header lines of their files and commits."""
    written, file, commit = [], "", ""
    for piece in pieces:
        if piece.file != file:
            written.append(piece.file)
            file, commit = piece.file, ""
        if piece.commit != commit:
            written.append(piece.commit)
            commit = piece.commit
        written.append(piece.text)
    return "".join(written)


def code_text(code: Sequence[Code]) -> str:
    """The code in the order of files and lines; adjoining pieces share a header line."""
    written, path, following = [], None, 0
    for one in sorted(code, key=lambda code: (code.index, code.first)):
        if one.path != path or one.first != following:
            written.append(f"# code of {label(one.path)} as it is now, from line {one.first}\n")
        written.append(indented(one.text))
        path, following = one.path, one.first + one.text.count("\n") + 1
    return "".join(written)


def sources_of(pieces: Sequence[Piece]) -> list[str]:
    """What may be cited of these pieces: SHAs, then paths, each once, in the order of appearance."""
    found = dict.fromkeys(source for piece in pieces for source in piece.sources)
    paths = {piece.path for piece in pieces}
    return sorted(found, key=lambda source: source in paths)
