"""Reads `git diff-tree --stdin --raw -p`: which file each commit changed, and how, in bounded memory."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

PATCH_BYTES = 32 * 1024
PIECE_BYTES = 64 * 1024

SHA = re.compile(rb"[0-9a-f]{40,64}\n?")
RAW = re.compile(rb":\d+ (\d+) [0-9a-f]+ ([0-9a-f]+) ([A-Z])\d*\t([^\t\n]+)(?:\t([^\t\n]+))?\n?")
ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
ESCAPED = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))
NO_UTF8 = re.compile("[\udc80-\udcff]")
GITLINK = b"160000"


@dataclass(frozen=True)
class Entry:
    """One line of the raw part: `blob` is None when nothing readable is left (deleted, submodule)."""

    sha: str
    path: str
    renamed_from: str | None
    blob: str | None
    type_changed: bool


@dataclass
class Change:
    """One commit's change to one file; `cut` when the patch was longer than 32 KiB."""

    entry: Entry
    header: list[bytes] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    binary: bool = False
    cut: bool = False

    def add(self, piece: bytes, starts_line: bool) -> None:
        """Takes the next piece of the patch; `starts_line` is false for the rest of a very long line."""
        if not self.body and not (starts_line and piece.startswith(b"@@")):
            self._add_header(piece, starts_line)
        elif self.cut or len(self.body) + len(piece) > PATCH_BYTES:
            room = 0 if self.cut else PATCH_BYTES - len(self.body)
            # A single line longer than the limit is better cut in the middle than lost.
            self.body += piece[:room] if self.body.count(b"\n") <= 1 else b""
            self.cut = True
        else:
            self.body += piece

    def _add_header(self, piece: bytes, starts_line: bool) -> None:
        self.binary = self.binary or (starts_line and piece.startswith(b"Binary files "))
        if starts_line and not piece.startswith((b"index ", b"--- ", b"+++ ", b"Binary files ")):
            self.header.append(piece)

    def patch(self) -> str:
        """The hunks, under the lines that tell of a rename; without hunks, what git says of the file."""
        told = [line for line in self.header if not self.body or line.startswith(b"rename ")]
        return (b"".join(told) + self.body).decode("utf-8", "replace").replace("\x00", "")


def read_changes(output: IO[bytes]) -> Iterator[Change]:
    """Every change in git's order. A path is C-quoted by git when it holds control characters or quotes.

    Lines of a patch begin with a space, `+`, `-`, `@` or a backslash: contents can forge none of these.
    """
    sha, entries = "", deque[Entry]()
    change: Change | None = None
    for piece, starts_line in pieces(output):
        if starts_line and (piece.startswith(b"diff --git ") or SHA.fullmatch(piece)):
            if change:
                yield change
            if piece.startswith(b"diff --git "):
                change = Change(entries.popleft())
            else:
                sha, change = piece.decode().strip(), None
                entries.clear()
        elif change:
            change.add(piece, starts_line)
        elif match := RAW.fullmatch(piece):
            entry = entry_of(sha, match)
            # git writes a change of type (file to symlink) as two patches: a deletion and a creation.
            entries.extend([entry] * (2 if entry.type_changed else 1))
    if change:
        yield change


def pieces(output: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Lines, those over 64 KiB in several pieces, each with whether a line starts there."""
    starts_line = True
    while piece := output.readline(PIECE_BYTES):
        yield piece, starts_line
        starts_line = piece.endswith(b"\n")


def entry_of(sha: str, match: re.Match[bytes]) -> Entry:
    mode, blob, status, old, new = match.groups()
    readable = mode != GITLINK and blob.strip(b"0")
    return Entry(
        sha=sha,
        path=unquote(new or old),
        renamed_from=unquote(old) if new else None,
        blob=blob.decode() if readable else None,
        type_changed=status == b"T",
    )


def unquote(path: bytes) -> str:
    """The path that git wrote, out of its C quotes if it is in any.

    Bytes that are not UTF-8 stay as git writes them, `\\351`, so that two paths never become one.
    """
    if path.startswith(b'"') and path.endswith(b'"'):
        path = ESCAPE.sub(lambda match: character(match[1]), path[1:-1])
    text = path.decode("utf-8", "surrogateescape").replace("\x00", "")
    return NO_UTF8.sub(lambda byte: f"\\{ord(byte[0]) - 0xDC00:03o}", text)


def character(escape: bytes) -> bytes:
    if escape.isdigit():
        return bytes([int(escape, 8)])
    return bytes([ESCAPED.get(escape[0], escape[0])])
