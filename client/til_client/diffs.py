"""Reads `git diff-tree --stdin --raw -p`: which file each commit changed, and how, in bounded memory."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

PATCH_BYTES = 32 * 1024
PIECE_BYTES = 64 * 1024
LINE_BYTES = 8 * 1024
"""Of a line of a diff; people write no longer ones. The API shows a model less still."""
SHOWN_OF_LONGER = 512

SHA = re.compile(rb"[0-9a-f]{40,64}\n?")
RAW = re.compile(rb":\d+ (\d+) [0-9a-f]+ ([0-9a-f]+) ([A-Z])\d*\t([^\t\n]+)(?:\t([^\t\n]+))?\n?")
ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
ESCAPED = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))
NO_UTF8 = re.compile("[\udc80-\udcff]")
LIKE_ESCAPED = re.compile(r"\\[23][0-7]{2}")
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

    def add(self, line: bytes) -> None:
        """Takes the next line of the patch."""
        if not self.body and not line.startswith(b"@@"):
            self.binary = self.binary or line.startswith(b"Binary files ")
            if not line.startswith((b"index ", b"--- ", b"+++ ", b"Binary files ")):
                self.header.append(line)
        elif self.cut or len(self.body) + len(line) > PATCH_BYTES:
            self.cut = True
        else:
            self.body += line

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
    for line in lines(output):
        if line.startswith(b"diff --git ") or SHA.fullmatch(line):
            if change:
                yield change
            if line.startswith(b"diff --git "):
                change = Change(entries.popleft())
            else:
                sha, change = line.decode().strip(), None
                entries.clear()
        elif change:
            change.add(line)
        elif match := RAW.fullmatch(line):
            entry = entry_of(sha, match)
            # git writes a change of type (file to symlink) as two patches: a deletion and a creation.
            entries.extend([entry] * (2 if entry.type_changed else 1))
    if change:
        yield change


def lines(output: IO[bytes]) -> Iterator[bytes]:
    """Lines; of a diff's line over 8 KiB (base64, minified code) its beginning and its length."""
    while line := output.readline(PIECE_BYTES):
        length, piece = len(line), line
        while piece and not piece.endswith(b"\n"):
            piece = output.readline(PIECE_BYTES)
            length += len(piece)
        if length > LINE_BYTES and line.startswith((b"+", b"-", b" ")):
            line = line[:SHOWN_OF_LONGER] + f" (a line of {length} bytes)\n".encode()
        yield line


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

    Bytes that are not UTF-8 stay as git writes them, `\\351`, so that two paths never become one. For the
    same end each backslash is doubled in such a path, and in one that only looks like it.
    """
    if path.startswith(b'"') and path.endswith(b'"'):
        path = ESCAPE.sub(lambda match: character(match[1]), path[1:-1])
    text = path.decode("utf-8", "surrogateescape").replace("\x00", "")
    if NO_UTF8.search(text) or LIKE_ESCAPED.search(text):
        text = text.replace("\\", "\\\\")
    return NO_UTF8.sub(lambda byte: f"\\{ord(byte[0]) - 0xDC00:03o}", text)


def character(escape: bytes) -> bytes:
    if escape.isdigit():
        return bytes([int(escape, 8)])
    return bytes([ESCAPED.get(escape[0], escape[0])])
