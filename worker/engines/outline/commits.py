"""The day's commits, each once and oldest first, grouped by subject. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from til.request import TilRequest
from worker.engines.outline.diff import Diff
from worker.engines.outline.messages import KINDS, Message, read_message

Key = tuple[str, str]
SHORT_SHA = 7
"""Digits of an abbreviated SHA."""


@dataclass
class Commit:
    """`times`: how many commits these are, as far as is known; `paths`: changed lines by path."""

    message: Message
    sha: str | None
    times: int = 1
    lines: int = 0
    paths: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Topic:
    """Commits about one subject, reverts included.

    `balance`: +1 if more of them were made than reverted, 0 if as many, -1 if fewer. `came_back`: some were
    reverted, and made again.
    """

    subject: str
    kind: str
    commits: list[Commit]
    balance: int
    came_back: bool

    @property
    def times(self) -> int:
        """The number of commits."""
        return sum(commit.times for commit in self.commits)

    @property
    def lines(self) -> int:
        """The number of lines that they changed."""
        return sum(commit.lines for commit in self.commits)


def commits_of(request: TilRequest, diffs: Sequence[Sequence[Diff]]) -> list[Commit]:
    """Each commit once. Without SHAs, equal messages to one file are several commits, else they are one."""
    found, messages = dict[Key, Commit](), dict[str, Message]()
    sequences = list[list[Key]]()
    for file, of_file in zip(request.files, diffs, strict=True):
        keys = [(patch.sha or "", patch.commit_message) for patch in file.patches]
        sequences.append(keys)
        for patch, key, diff in zip(file.patches, keys, of_file, strict=True):
            if patch.commit_message not in messages:
                messages[patch.commit_message] = read_message(patch.commit_message)
            commit = found.setdefault(key, Commit(messages[patch.commit_message], patch.sha))
            commit.lines += diff.added + diff.removed
            commit.paths[file.filepath] += diff.added + diff.removed
        for key, times in Counter(keys).items():
            if not key[0]:
                found[key].times = max(found[key].times, times)
    return [found[key] for key in _oldest_first(list(found), sequences)]


def _oldest_first(keys: Sequence[Key], sequences: Sequence[Sequence[Key]]) -> list[Key]:
    """A topological order, given the order of the patches of each file; commits in a cycle come last."""
    after, waits = defaultdict[Key, list[Key]](list), Counter[Key]()
    for sequence in sequences:
        for one, next_one in pairwise(sequence):
            if one != next_one:
                after[one].append(next_one)
                waits[next_one] += 1
    ready, ordered = deque(key for key in keys if not waits[key]), dict[Key, None]()
    while ready:
        key = ready.popleft()
        ordered[key] = None
        for next_one in after[key]:
            waits[next_one] -= 1
            if not waits[next_one]:
                ready.append(next_one)
    return list(dict.fromkeys([*ordered, *keys]))


def topics_of(commits: Sequence[Commit]) -> list[Topic]:
    """The commits by subject, in the order in which the subjects first appear."""
    bases = {commit.message.base for commit in commits}
    shas = {commit.sha[:SHORT_SHA].lower(): commit for commit in commits if commit.sha}
    found = defaultdict[str, list[Commit]](list)
    for commit in commits:
        message = commit.message
        base = message.base
        if message.reverted_sha and (message.subject == base or base not in bases):
            # The body names the reverted commit, so its subject counts.
            reverted = shas.get(message.reverted_sha[:SHORT_SHA].lower())
            if reverted and _is_same(reverted.sha or "", message.reverted_sha):
                base = reverted.message.base
        found[base].append(commit)
    return [_topic(base, members) for base, members in found.items()]


def _is_same(sha: str, other: str) -> bool:
    """Whether they are equal, or one is an abbreviation of the other."""
    one, two = sorted((sha.lower(), other.lower()), key=len)
    return two.startswith(one)


def _topic(base: str, members: list[Commit]) -> Topic:
    balance = sum(-commit.times if commit.message.reverts % 2 else commit.times for commit in members)
    made = [commit for commit in members if not commit.message.reverts]
    first = (made or members)[0].message
    kind = min((commit.message.kind for commit in made or members), key=KINDS.index)
    reverted = any(commit.message.reverts for commit in members)
    return Topic(
        subject=first.subject if len(members) == 1 or first.base == first.subject else base,
        kind=kind,
        commits=members,
        balance=(balance > 0) - (balance < 0),
        came_back=reverted and balance > 0,
    )
