"""The facts of a day, from which the outline is written. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from til.request import TilRequest
from worker.engines.outline.commits import Commit, Topic, commits_of, topics_of
from worker.engines.outline.diff import read_patch
from worker.engines.outline.files import Change, change_of
from worker.engines.outline.manifests import Pinned, new_keys, pinned
from worker.engines.outline.names import Names, names_of_day
from worker.engines.outline.paths import NO_CODE, area_of
from worker.engines.outline.phrases import Say
from worker.engines.outline.versions import versions_of

MOST_AREAS = 3


@dataclass(frozen=True)
class Facts:
    """`topics`: the commits by subject. `changes`: the files, the most important first.

    By path: `names` that a file defines, dependencies that it pins, and new `keys` of settings.
    """

    request: TilRequest
    commits: list[Commit]
    topics: list[Topic]
    changes: list[Change]
    names: dict[str, Names]
    pinned: dict[str, Pinned]
    keys: dict[str, list[str]]

    @property
    def times(self) -> int:
        """The number of commits."""
        return sum(topic.times for topic in self.topics)

    @property
    def added(self) -> int:
        """Lines added, in all files."""
        return sum(change.added for change in self.changes)

    @property
    def removed(self) -> int:
        """Lines removed, in all files."""
        return sum(change.removed for change in self.changes)

    def kinds(self) -> list[str]:
        """The languages and formats of the changed files, those with the most changed lines first."""
        found = Counter[str]()
        for change in self.changes:
            if change.kind and not change.unread:
                found[change.kind] += change.lines
        return [kind for kind, _ in found.most_common()]


def facts_of(request: TilRequest) -> Facts:
    """Linear in the request's size."""
    diffs = [[read_patch(patch.patch) for patch in file.patches] for file in request.files]
    changes = [change_of(file, of_file) for file, of_file in zip(request.files, diffs, strict=True)]
    commits = commits_of(request, diffs)
    versions = [
        (file.filepath, versions_of(file.latest_code, of_file))
        for file, of_file, change in zip(request.files, diffs, changes, strict=True)
        if not change.unread
    ]
    return Facts(
        request=request,
        commits=commits,
        topics=topics_of(commits),
        changes=sorted(changes, key=_rank),
        names=names_of_day(versions),
        pinned={path: pinned(path, both) for path, both in versions},
        keys={path: new_keys(path, both) for path, both in versions},
    )


def totals(facts: Facts, say: Say) -> list[str]:
    """Texts with the numbers of commits, files and lines, from the longest to the shortest."""
    commits, files = say("commits", n=facts.times), say("files", n=len(facts.changes))
    short = say("total_short", commits=commits, files=files)
    lines = say.lines(facts.added, facts.removed)
    long = say("total", commits=commits, files=files, lines=lines) if facts.added or facts.removed else short
    return [long, short, commits]


def _rank(change: Change) -> tuple[bool, bool, bool, int]:
    """The sort key: files that people read, then programs, then other known formats, then changed lines."""
    return change.unread is not None, change.kind is None, change.kind in NO_CODE, -change.lines


def areas(paths: Iterable[tuple[str, int]]) -> tuple[list[str], bool]:
    """Up to three top folders that together have more than half of the lines, and whether these are all.

    No folders if three have less, or if most lines are in files at the top of the repository.
    """
    found = Counter[str | None]()
    for path, lines in paths:
        found[area_of(path)] += lines + 1
    kept, within = list[str](), 0
    for area, lines in found.most_common(MOST_AREAS):
        if area is not None:
            kept.append(area)
            within += lines
    every = len(kept) == len(found)
    return (kept, every) if every or within * 2 > found.total() else ([], False)
