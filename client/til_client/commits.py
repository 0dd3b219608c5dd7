"""A day's commits of a git checkout, as the body of `POST /v1/til`."""

from __future__ import annotations

import datetime
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .changed import Gathered, gather, latest_code
from .fit import first_bytes, fit
from .git import Git, GitFailed, NoCommits

COMMITS = 10_000
"""At most so many are read, from HEAD or from the requested day backwards."""
NAME_CHARACTERS = 200
MESSAGE_BYTES = 4096
DAY = datetime.timedelta(days=1)
PATH_END = re.compile("[?#]")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Commit:
    """`date`: the committer date, in the commit's own time zone. `parents`: SHAs.

    `author`: a name and an address, `Ada <ada@example.com>`.
    """

    sha: str
    parents: list[str]
    date: str
    author: str


def say_on_stderr(note: str) -> None:
    print(note, file=sys.stderr)


def collect(
    folder: Path | str, date: datetime.date | None = None, author: str | None = None, say: Say = say_on_stderr
) -> dict[str, Any]:
    """The request (`username`, `date`, `repo`, `files`) for one day; its JSON is at most 3.5 MiB.

    `date` None: the day of the latest commit on HEAD. `author`: a part of the author's name or address. Merge
    commits and binary files are left out. `say` is called with a sentence about each thing that was cut.
    Raises `GitMissing`, `NotARepository`, `NoCommits` and `GitFailed`, all of them `CollectError`s.
    """
    git = Git(Path(folder))
    day = date or latest_day(git, author)
    commits = commits_of(git, day, author, say)
    if not commits:
        raise NoCommits(f"{folder} has no commits{by(author)} on {day}.")
    gathered = gather(git, messages_of(git, commits))
    if not gathered.files:
        raise NoCommits(f"The commits of {day} in {folder} change no text file.")
    report(gathered, say)
    request = {
        "username": name(commits[-1].author.rpartition(" <")[0]) or "unknown",
        "date": day.isoformat(),
        "repo": repo_name(git),
        "files": latest_code(git, gathered, say),
    }
    return fit(request, say)


def latest_day(git: Git, author: str | None) -> datetime.date:
    """The latest day with a commit, without those dated after tomorrow, whose clock was wrong."""
    commits = of_author(log(git), author)
    tomorrow = (datetime.datetime.now(datetime.UTC).date() + DAY).isoformat()
    dates = sorted(commit.date for commit in commits if is_day(commit.date))
    if not dates:
        raise NoCommits(f"{git.folder} has no commits{by(author)}.")
    return datetime.date.fromisoformat(next((d for d in reversed(dates) if d <= tomorrow), dates[0]))


def is_day(date: str) -> bool:
    try:
        return bool(datetime.date.fromisoformat(date))
    except ValueError:  # git's output for a commit with a broken date
        return False


def commits_of(git: Git, day: datetime.date, author: str | None, say: Say) -> list[Commit]:
    """The day's commits, oldest first, without those whose parents a shallow clone lacks."""
    commits = of_author(parents_first(log(git, *until(day))), author)
    found = [commit for commit in commits if commit.date == day.isoformat()]
    cut_off = set(shallow(git)) if found else set()
    whole = [commit for commit in found if commit.sha not in cut_off]
    if left_out := len(found) - len(whole):
        what = "1 commit was" if left_out == 1 else f"{left_out} commits were"
        sentence = f"{what} left out: this shallow clone doesn't have what came before"
        sentence += " (git fetch --unshallow brings it)."
        if not whole:
            raise NoCommits(f"{git.folder} has no commits{by(author)} on {day} that can be read: {sentence}")
        say(sentence)
    return whole


def until(day: datetime.date) -> tuple[str, ...]:
    """git's option to leave out later commits. A day late, as some time zones are 12 hours behind UTC."""
    return (f"--until={day + 2 * DAY}T00:00:00Z",) if 1970 <= day.year < 2100 else ()


def log(git: Git, *limits: str) -> list[Commit]:
    """The newest commits, with merges. No `--since`: git would stop at the first commit with a wrong date."""
    form = "--format=tformat:%H%n%P%n%cd%n%aN <%aE>"
    plain = "-z", "--no-color", "--encoding=UTF-8", "--date=short", form
    text = git.text("log", *plain, f"--max-count={COMMITS}", *limits, "HEAD", "--")
    return [commit_of(record) for record in text.split("\x00") if record]


def commit_of(record: str) -> Commit:
    parts = record.split("\n", 3)
    if len(parts) < 4:
        raise GitFailed("git log answers otherwise than it should; is it the git program?")
    return Commit(parts[0], parts[1].split(), *parts[2:])


def parents_first(commits: list[Commit]) -> list[Commit]:
    """The commits oldest first, and none before its parents, whatever their dates. In linear time."""
    known = {commit.sha: commit for commit in commits}
    placed: dict[str, Commit] = {}
    for commit in reversed(commits):
        waiting = [commit]
        while waiting:
            last = waiting[-1]
            before = [known[sha] for sha in last.parents if sha in known and sha not in placed]
            waiting.extend(before)
            if not before:
                placed.setdefault(last.sha, waiting.pop())
    return list(placed.values())


def of_author(commits: list[Commit], author: str | None) -> list[Commit]:
    """The commits of the author, or everybody's if None; without merges."""
    wanted = folded(author or "")
    return [commit for commit in commits if len(commit.parents) < 2 and wanted in folded(commit.author)]


def folded(text: str) -> str:
    """For comparison: case-folded, and in form NFC, as Korean may be NFC or NFD."""
    return unicodedata.normalize("NFC", text).casefold()


def shallow(git: Git) -> list[str]:
    """The commits of a shallow clone whose parents are missing: git's diff shows all their files as new."""
    path = git.folder / git.text("rev-parse", "--git-path", "shallow").rstrip("\n")
    try:
        return path.read_text().split()
    except FileNotFoundError:
        return []


def messages_of(git: Git, commits: list[Commit]) -> dict[str, str]:
    """The message of each commit by its SHA, in the order of the commits; at most 4 KiB of each."""
    shas = "".join(f"{commit.sha}\n" for commit in commits).encode()
    form = "--format=tformat:%H%n%B"
    messages = dict.fromkeys((commit.sha for commit in commits), "")
    command = "log", "-z", "--no-walk=unsorted", "--no-color", "--encoding=UTF-8", form, "--stdin"
    for record in git.text(*command, stdin=shas).split("\x00"):
        sha, _, message = record.partition("\n")
        if sha:
            messages[sha] = first_bytes(message.strip(), MESSAGE_BYTES)
    return messages


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
    """`owner/name` of the remote `origin`, or else the name of the repository's folder."""
    found = git.text("config", "--default", "", "--get", "remote.origin.url").strip()
    if remote := remote_path(found):
        return name(remote)
    path = Path(git.text("rev-parse", "--absolute-git-dir").rstrip("\n"))
    return name((path.parent if path.name == ".git" else path).name.removesuffix(".git")) or "repository"


def remote_path(url: str) -> str | None:
    """The path of a remote's URL, without host and credentials; None for a local remote."""
    if "://" in url:
        scheme, _, rest = url.partition("://")
        path = "" if scheme.lower() == "file" else PATH_END.split(rest.partition("/")[2])[0]
    else:
        scp = re.fullmatch(r"[^/:]+:(.+)", url)
        path = scp[1] if scp else ""
    path = path.strip("/").removesuffix(".git")
    return path if "/" in path else None


def name(text: str) -> str:
    """A user's or a repository's name as the API accepts it: at most 200 characters, UTF-8, no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "").strip()[:NAME_CHARACTERS]
