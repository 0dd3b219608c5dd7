"""A fixed list of commit days: this repository's first commits, one to three a day, and generated ones."""

from __future__ import annotations

import datetime
import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from random import Random

from til_client.changed import gather, latest_code
from til_client.commits import Commit, log, messages_of, of_author
from til_client.git import CollectError, Git

from til.request import ChangedFile, Patch, TilRequest

ROOT = Path(__file__).parent.parent.parent
DATE = datetime.date(2026, 1, 5)
"""Of every day: the dates of commits change when a history is rewritten."""
COMMITS = 48
"""From the root on, so that later commits change nothing."""
COMMITS_A_DAY = (1, 2, 3)
"""By turns."""
SIZES = (1, 5, 20)
SEEDS = (1, 2, 3, 4)


class HistoryMissing(CollectError):
    """The first commits of this repository are not here."""


@dataclass(frozen=True)
class Day:
    """`kind` is `history`, or how many files were generated."""

    name: str
    kind: str
    request: TilRequest


def all_days(folder: Path = ROOT) -> list[Day]:
    """The whole list, the same every time. Raises HistoryMissing and the client's other `CollectError`s."""
    made = [generated(files, seed) for files in SIZES for seed in SEEDS]
    return [*history(folder), *made]


def history(folder: Path) -> list[Day]:
    """The first commits from the root on, grouped in order; each day's code is that of its last commit."""
    git = Git(folder)
    if git.text("rev-parse", "--is-shallow-repository").strip() == "true":
        raise HistoryMissing(f"{folder} is a shallow clone: `git fetch --unshallow` gets its first commits.")
    commits = of_author(log(git, "--topo-order", "--reverse"), None)[:COMMITS]
    if len(commits) < COMMITS:
        raise HistoryMissing(
            f"{folder} has {len(commits)} commits of the {COMMITS} that the list is made of."
        )
    return [_day_of(git, number, group) for number, group in enumerate(_grouped(commits), 1)]


def _grouped(commits: list[Commit]) -> Iterator[list[Commit]]:
    left, sizes = iter(commits), cycle(COMMITS_A_DAY)
    while group := list(islice(left, next(sizes))):
        yield group


def _day_of(git: Git, number: int, group: list[Commit]) -> Day:
    gathered = gather(git, messages_of(git, group))
    files = [ChangedFile(**file) for file in latest_code(git, gathered, lambda _: None)]
    request = TilRequest(username="ada", date=DATE, repo="til-queue", files=files)
    return Day(f"{number}: {counted(len(group), 'commit')}", "history", request)


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def generated(files: int, seed: int) -> Day:
    """A day of so many changed files, and a commit for every third of them."""
    random = Random(f"{files} files, seed {seed}")
    shas = [hashlib.sha1(f"{files} {seed} {n}".encode()).hexdigest() for n in range(1 + files // 3)]
    made = [_file(random, number, shas) for number in range(files)]
    kind = counted(files, "file")
    request = TilRequest(username="ada", date=DATE, repo="ada/engine", files=made)
    return Day(f"{kind}, seed {seed}", kind, request)


NAMES = (
    "account", "batch", "buffer", "cache", "chunk", "client", "clock", "cursor", "delay", "digest",
    "event", "field", "filter", "frame", "handle", "index", "key", "label", "lease", "limit", "line",
    "message", "node", "offset", "order", "owner", "page", "parser", "path", "price", "queue", "rate",
    "record", "result", "retry", "row", "schema", "score", "session", "size", "slot", "source", "stamp",
    "state", "stream", "table", "tenant", "token", "total",
)  # fmt: skip
LINES = (
    "    {a} = load_{b}({c}, {n})",
    "    if {a}.{b} is None or {c} > {n}:",
    "        return {a}_{b}",
    "    for {a} in sorted({b}.{c}()):",
    "        {a}.update({b}={c}, {a}={n})",
    "    # Without its {a} the {b} would be read before the {c} is written.",
    "",
    "def {a}_{b}({c}: int, {a}: str = '{b}') -> None:",
    "    raise ValueError(f'{a} {{{b}}} has no {c}')",
)


def _file(random: Random, number: int, shas: list[str]) -> ChangedFile:
    """40 to 160 lines, changed by one or two of the day's commits."""
    lines, patches = [_line(random) for _ in range(random.randint(40, 160))], []
    for sha in sorted(random.sample(shas, min(len(shas), random.randint(1, 2))), key=shas.index):
        before, lines = lines, _edited(random, lines)
        diff = list(difflib.unified_diff(before, lines, lineterm="", n=3))[2:]
        message = (
            f"Keep the {random.choice(NAMES)} of a {random.choice(NAMES)} when its {shas.index(sha)} ends"
        )
        patches.append(Patch(commit_message=message, patch="\n".join(diff) + "\n", sha=sha))
    path = f"engine/{random.choice(NAMES)}/{random.choice(NAMES)}_{number}.py"
    return ChangedFile(filepath=path, latest_code="\n".join(lines) + "\n", patches=patches)


def _edited(random: Random, lines: list[str]) -> list[str]:
    """One to three places get 3 to 12 new lines for up to 6 old ones."""
    for _ in range(random.randint(1, 3)):
        begin = random.randrange(len(lines))
        new = [_line(random) for _ in range(random.randint(3, 12))]
        lines = [*lines[:begin], *new, *lines[begin + random.randint(0, 6) :]]
    return lines


def _line(random: Random) -> str:
    a, b, c = random.sample(NAMES, 3)
    return random.choice(LINES).format(a=a, b=b, c=c, n=random.randint(1, 999))
