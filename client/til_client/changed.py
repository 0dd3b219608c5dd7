"""The day's changes by file: patches, oldest first, and the code at the end of the day."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from .diffs import Change, read_changes
from .fit import first_bytes
from .git import Git

FILES = 2000
PATCHES_A_FILE = 1000
PATH_CHARACTERS = 1024
CODE_BYTES = 64 * 1024
# Far more than a request may have; it bounds this program's memory on a day with a huge import.
HELD_CHARACTERS = 32 * 1024 * 1024
# git itself looks for a NUL in this many bytes to call a file binary.
BINARY_PROBE_BYTES = 8000

DIFF = ("diff-tree", "--stdin", "-r", "--root", "-M", "--raw", "--no-abbrev", "-p")
PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv")


@dataclass
class Changed:
    """One file: its patches, and its blob after the day's last change (None: deleted or not readable)."""

    patches: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=PATCHES_A_FILE))
    blob: str | None = None


@dataclass
class Gathered:
    """The files by path, least recently changed first, and counts of what was left out or cut."""

    files: dict[str, Changed] = field(default_factory=dict)
    binary: int = 0
    cut: int = 0
    too_long: int = 0
    dropped: int = 0
    held: deque[dict[str, str]] = field(default_factory=deque)
    held_characters: int = 0

    def add(self, change: Change, message: str) -> None:
        """Adds the next change; a renamed file keeps the patches of its old name."""
        entry = change.entry
        # Removed and added again, so that the most recently changed file comes last.
        file = self.files.pop(entry.renamed_from or entry.path, None) or Changed()
        file.blob = entry.blob
        self.files[entry.path] = file
        if change.binary:
            self.binary += 1
            return
        self.cut += change.cut
        self.dropped += len(file.patches) == PATCHES_A_FILE
        patch = {"commit_message": message, "patch": change.patch(), "sha": entry.sha}
        file.patches.append(patch)
        self._hold(patch)

    def _hold(self, patch: dict[str, str]) -> None:
        self.held.append(patch)
        self.held_characters += len(patch["patch"])
        while self.held_characters > HELD_CHARACTERS:
            oldest = self.held.popleft()
            self.held_characters -= len(oldest["patch"])
            self.cut += 1
            oldest["patch"] = ""

    def drop_unfit(self) -> None:
        """Drops what a request can't have: files without text changes, long paths, over 2000 files."""
        self.too_long = sum(len(path) > PATH_CHARACTERS for path in self.files)
        texts = {
            path: file for path, file in self.files.items() if file.patches and len(path) <= PATH_CHARACTERS
        }
        self.dropped += max(0, len(texts) - FILES)
        self.files = dict(list(texts.items())[-FILES:])


def gather(git: Git, messages: dict[str, str]) -> Gathered:
    """The changes of the commits; `messages`: the commit message by SHA, oldest first."""
    gathered = Gathered()
    with git.stream(*DIFF, *PLAIN, stdin="".join(f"{sha}\n" for sha in messages).encode()) as output:
        for change in read_changes(output):
            gathered.add(change, messages[change.entry.sha])
    gathered.drop_unfit()
    return gathered


def latest_code(git: Git, gathered: Gathered, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """The request's `files`. Code over 64 KiB is cut at a line; that of deleted and binary files is ""."""
    wanted = list(dict.fromkeys(file.blob for file in gathered.files.values() if file.blob))
    codes: dict[str | None, str] = {None: ""}
    cut = 0
    with git.stream("cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in wanted).encode()) as output:
        for blob in wanted:
            data = read_blob(output)
            text = "" if b"\x00" in data[:BINARY_PROBE_BYTES] else data.decode("utf-8", "replace")
            codes[blob] = first_bytes(text.replace("\x00", ""), CODE_BYTES)
            cut += len(codes[blob].encode()) < len(data) and bool(text)
    if cut:
        say(f"The code of {cut} files was cut at 64 KiB.")
    return [
        {"filepath": path, "latest_code": codes[file.blob], "patches": list(file.patches)}
        for path, file in gathered.files.items()
    ]


def read_blob(output: IO[bytes]) -> bytes:
    """The next object of `cat-file --batch`: at most 64 KiB and one byte, which shows that it was longer."""
    header = output.readline().split()
    if len(header) != 3:
        return b""  # "<name> missing": a shallow or partial clone without this blob
    rest = int(header[2]) + 1
    data = output.read(min(rest, CODE_BYTES + 1))
    unread = rest - len(data)
    while unread > 0 and (skipped := output.read(min(unread, CODE_BYTES))):
        unread -= len(skipped)
    return data if rest > CODE_BYTES + 1 else data[: rest - 1]
