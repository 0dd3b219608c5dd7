"""A day's commits out of a git checkout, as the body of `POST /v1/til`."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .changed import Gathered, gather, latest_code
from .fit import first_bytes, fit
from .git import Git, NoCommits

COMMITS = 10_000
NAME_CHARACTERS = 200
MESSAGE_BYTES = 4096
DAY = datetime.timedelta(days=1)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Commit:
    """`date` is the committer's own: the day in the time zone that the commit was written with."""

    sha: str
    date: str
    author: str
    message: str


def say_on_stderr(note: str) -> None:
    print(note, file=sys.stderr)


def collect(
    folder: Path | str, date: datetime.date | None = None, author: str | None = None, say: Say = say_on_stderr
) -> dict[str, Any]:
    """The request (`username`, `date`, `repo`, `files`) for one day; its JSON is at most 3.5 MiB.

    `date` None means the day of the latest commit on HEAD; `author` is a part of the author's name or
    address. Merge commits and binary files are left out. `say` is told, a sentence each, what was cut.
    Raises `GitMissing`, `NotARepository`, `NoCommits` and `GitFailed`, all of them `CollectError`s.
    """
    git = Git(Path(folder))
    day = date or latest_day(git, author)
    commits = commits_of(git, day, author)
    if not commits:
        raise NoCommits(f"{folder} has no commits{by(author)} on {day}.")
    gathered = gather(git, {commit.sha: commit.message for commit in commits})
    if not gathered.files:
        raise NoCommits(f"The commits of {day} in {folder} change no text file.")
    report(gathered, say)
    request = {
        "username": name(commits[-1].author) or "unknown",
        "date": day.isoformat(),
        "repo": repo_name(git),
        "files": latest_code(git, gathered, say),
    }
    return fit(request, say)


def latest_day(git: Git, author: str | None) -> datetime.date:
    latest = log(git, author, "--max-count=1")
    if not latest:
        raise NoCommits(f"{git.folder} has no commits{by(author)}.")
    return datetime.date.fromisoformat(latest[0].date)


def commits_of(git: Git, day: datetime.date, author: str | None) -> list[Commit]:
    """The day's commits, oldest first, parents before children."""
    # A day somewhere on earth begins 14 hours before and ends 12 hours after that day in UTC.
    window = f"--since={day - DAY}T00:00:00Z", f"--until={day + 2 * DAY}T00:00:00Z"
    found = log(git, author, *window, f"--max-count={COMMITS}", "--date-order", "--reverse")
    return [commit for commit in found if commit.date == day.isoformat()]


def log(git: Git, author: str | None, *limits: str) -> list[Commit]:
    who = ["--fixed-strings", "--regexp-ignore-case", f"--author={author}"] if author else []
    form = "--format=tformat:%H%n%cs%n%an%n%B"
    text = git.text(
        "log", "-z", "--no-merges", "--no-color", "--encoding=UTF-8", form, *who, *limits, "HEAD", "--"
    )
    return [commit_of(record) for record in text.split("\x00") if record]


def commit_of(record: str) -> Commit:
    sha, date, author, message = record.split("\n", 3)
    return Commit(sha, date, author, first_bytes(message.strip(), MESSAGE_BYTES))


def by(author: str | None) -> str:
    return f" by {author}" if author else ""


def report(gathered: Gathered, say: Say) -> None:
    counts: Iterable[tuple[int, str]] = (
        (gathered.binary, "binary changes were left out."),
        (gathered.cut, "patches were cut at 32 KiB."),
        (gathered.too_long, "files with paths over 1024 characters were left out."),
        (
            gathered.dropped,
            "older patches or files were left out: a request holds 1000 a file and 2000 files.",
        ),
    )
    for count, what in counts:
        if count:
            say(f"{count} {what}")


def repo_name(git: Git) -> str:
    """`owner/name` of the remote origin; else the name of the repository's folder."""
    found = git.text("config", "--default", "", "--get", "remote.origin.url").strip()
    if remote := remote_path(found):
        return name(remote)
    place = Path(git.text("rev-parse", "--absolute-git-dir").rstrip("\n"))
    return name((place.parent if place.name == ".git" else place).name.removesuffix(".git")) or "repository"


def remote_path(url: str) -> str | None:
    """The path of a remote on another host, without the host and the credentials that a URL may hold."""
    if "://" in url:
        parts = urlsplit(url)
        path = parts.path if parts.scheme != "file" else ""
    else:
        scp = re.fullmatch(r"[^/:]+:(.+)", url)
        path = scp[1] if scp else ""
    path = path.strip("/").removesuffix(".git")
    return path if "/" in path else None


def name(text: str) -> str:
    """A user's or a repository's name as the API takes it: 200 characters, UTF-8, no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "").strip()[:NAME_CHARACTERS]
