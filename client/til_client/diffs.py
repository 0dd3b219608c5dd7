"""Parses the output of `git diff-tree --stdin --raw -p` in bounded memory: each commit's changes by file."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

PATCH_BYTES = 32 * 1024
PIECE_BYTES = 64 * 1024
LINE_BYTES = 8 * 1024
"""Lines of a diff over this length are cut. Those that people write are shorter; the API cuts more still."""
SHOWN_OF_LONGER = 512
"""How much of a longer line is kept, in bytes."""

SHA = re.compile(rb"[0-9a-f]{40,64}\n?")
RAW = re.compile(rb":\d+ (\d+) [0-9a-f]+ ([0-9a-f]+) ([A-Z])\d*\t([^\t\n]+)(?:\t([^\t\n]+))?\n?")
ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
ESCAPED = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))
NO_UTF8 = re.compile("[\udc80-\udcff]")
LIKE_ESCAPED = re.compile(r"\\[23][0-7]{2}")
GITLINK = b"160000"


@dataclass(frozen=True)
class Entry:
    """One line of the raw part. `blob` is None if there is nothing to read: deleted, or a submodule."""

    sha: str
    path: str
    renamed_from: str | None
    blob: str | None
    type_changed: bool


@dataclass
class Change:
    """One commit's change to one file. `cut`: the patch was longer than 32 KiB."""

    entry: Entry
    header: list[bytes] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    binary: bool = False
    cut: bool = False

    def add(self, line: bytes) -> None:
        """Adds the next line of the patch."""
        if not self.body and not line.startswith(b"@@"):
            self.binary = self.binary or line.startswith(b"Binary files ")
            if not line.startswith((b"index ", b"--- ", b"+++ ", b"Binary files ")):
                self.header.append(line)
        elif self.cut or len(self.body) + len(line) > PATCH_BYTES:
            self.cut = True
        else:
            self.body += line

    def patch(self) -> str:
        """The hunks, after the lines about a rename; without hunks, the whole header."""
        header = [line for line in self.header if not self.body or line.startswith(b"rename ")]
        return (b"".join(header) + self.body).decode("utf-8", "replace").replace("\x00", "")


def read_changes(output: IO[bytes]) -> Iterator[Change]:
    """Every change, in git's order. git quotes paths with control characters or quotes, as in C.

    Every line of a patch begins with a space, `+`, `-`, `@` or a backslash, so that no content of a file can
    look like the start of the next commit or file.
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
            # A change of type (file to symlink) is two patches: a deletion and a creation.
            entries.extend([entry] * (2 if entry.type_changed else 1))
    if change:
        yield change


def lines(output: IO[bytes]) -> Iterator[bytes]:
    """The lines. One of a diff over 8 KiB (base64, minified code) is replaced by its beginning and length."""
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
    """The path in git's output, without its C quotes.

    Bytes that are not UTF-8 stay escaped as git writes them, `\\351`, so that no two paths become equal. For
    the same reason backslashes are doubled in such a path, and in one that has what looks like an escape.
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
