"""Runs git: without a shell, with limits of time and output; its failures are `CollectError`s."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

TEXT_BYTES = 64 * 1024 * 1024
# bigFileThreshold: larger blobs count as binary, so that git loads no huge file to diff it.
CONFIG = (
    "core.quotePath=false",
    "core.bigFileThreshold=8m",
    "log.showSignature=false",
    "diff.suppressBlankEmpty=false",
)
REPOSITORY_VARIABLES = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIFF_OPTS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
}
"""Set by git for its hooks; with them git would read another repository, or read this one differently."""


class CollectError(Exception):
    """No request can be made from this folder; the message is one sentence, on one line."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence.replace("\n", "\\n"))


class GitMissing(CollectError):
    """The git program is not installed or not on PATH."""


class NotARepository(CollectError):
    """The folder is missing or lies in no git repository."""


class NoCommits(CollectError):
    """There is no commit (of that author) with a text change on that day."""


class GitFailed(CollectError):
    """git ended with an error, took too long or wrote too much."""


class Git:
    """git in one folder. The folder decides which repository it reads, not the GIT_DIR of a calling hook."""

    def __init__(self, folder: Path, timeout_seconds: float = 120.0) -> None:
        self.folder = folder
        self.timeout_seconds = timeout_seconds

    def text(self, *arguments: str, stdin: bytes = b"") -> str:
        """The output as text (invalid UTF-8 replaced). Raises `CollectError`s, also above 64 MiB."""
        with self.stream(*arguments, stdin=stdin) as output:
            data = output.read(TEXT_BYTES + 1)
        if len(data) > TEXT_BYTES:
            raise GitFailed(f"git {arguments[0]} wrote more than {TEXT_BYTES} bytes.")
        return data.decode("utf-8", "replace")

    @contextmanager
    def stream(self, *arguments: str, stdin: bytes = b"") -> Iterator[IO[bytes]]:
        """The output as a stream. Leaving the block early kills git. Raises `CollectError`s at its end if git
        failed or took too long."""
        # stdin and stderr are files: with three pipes, git and this program could block each other.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
            given.write(stdin)
            given.seek(0)
            process = self._start(arguments, given, errors)
            late = threading.Event()
            timer = threading.Timer(self.timeout_seconds, _end, (late, process))
            timer.start()
            assert process.stdout is not None  # noqa: S101
            unread = True
            try:
                yield process.stdout
                unread = bool(process.stdout.read(1))
            finally:
                if unread:
                    process.kill()
                process.wait()
                timer.cancel()
                process.stdout.close()
            if late.is_set():
                raise GitFailed(f"git {arguments[0]} took longer than {self.timeout_seconds:g} seconds.")
            if process.returncode and not unread:
                errors.seek(0)
                raise self._failure(errors.read(4096).decode("utf-8", "replace"))

    def _start(
        self, arguments: tuple[str, ...], given: IO[bytes], errors: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        settings = [part for setting in CONFIG for part in ("-c", setting)]
        command = ["git", "-C", str(self.folder), *settings, *arguments]
        try:
            return subprocess.Popen(  # noqa: S603
                command, stdin=given, stdout=subprocess.PIPE, stderr=errors, env=environment()
            )
        except (FileNotFoundError, PermissionError):
            raise GitMissing("The git program was not found on PATH; install git to read commits.") from None
        except OSError as error:
            raise GitFailed(f"The git program can't be run: {error.strerror}.") from None
        except ValueError:
            raise NotARepository("The folder's name holds a NUL character.") from None

    def _failure(self, complaint: str) -> CollectError:
        if "not a git repository" in complaint or "cannot change to" in complaint:
            return NotARepository(f"{self.folder} is not in a git repository.")
        if "dubious ownership" in complaint:
            return GitFailed(
                f"{self.folder} belongs to another user, so git refuses to read it; where you trust it: "
                f"git config --global --add safe.directory {self.folder.resolve()}"
            )
        if "promisor remote" in complaint or "Could not read from remote repository" in complaint:
            return GitFailed(
                f"{self.folder} is a partial clone, and its remote did not give what it lacks: "
                "see what git fetch says."
            )
        if "does not have any commits" in complaint or "revision" in complaint:
            return NoCommits(f"{self.folder} has no commits yet.")
        first = next((line for line in complaint.split("\n") if line.startswith("fatal:")), complaint.strip())
        return GitFailed(
            f"git could not read {self.folder}: {first.removeprefix('fatal: ') or 'no reason given'}"
        )


def environment() -> dict[str, str]:
    """The caller's environment without `REPOSITORY_VARIABLES`, with git's messages in English."""
    kept = {name: value for name, value in os.environ.items() if name not in REPOSITORY_VARIABLES}
    return kept | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


def _end(late: threading.Event, process: subprocess.Popen[bytes]) -> None:
    late.set()
    process.kill()
