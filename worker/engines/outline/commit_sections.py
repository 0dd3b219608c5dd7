"""The title, and the sections that are made from commit messages: learned, why, and problem."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from til.markdown import one_line
from til.post import Point
from worker.engines.outline.commits import Commit, Topic
from worker.engines.outline.facts import Facts, areas, totals
from worker.engines.outline.messages import KINDS
from worker.engines.outline.page import Page
from worker.engines.outline.prose import first_that_fits, fitting_sentences, shortened

PROBLEMS = ("fix", "revert")
NO_REASON = ("dependency", "release")
"""Kinds whose messages are usually written by programs."""
MOST_SUBJECTS = 20
"""In one point."""
REASON = re.compile(
    r"\b(?:because|since|so that|in order to|otherwise|without|instead|prevents?|avoids?|needs?|must|lets?)\b"
    r"|때문|위해|위한|않도록|으므로|하도록|ため|ので|から|ように|因为|为了|以便|避免|否则",
    re.IGNORECASE,
)


class CommitSections:
    """Shows each topic once: in the title, under `problem`, or under `learned`.

    `most`: points a section; `titled`: the title has the day's only topic.
    """

    def __init__(self, facts: Facts, page: Page, most: int, titled: bool) -> None:
        self._facts, self._page, self._say, self._most = facts, page, page.say, most
        listed = [] if titled else facts.topics
        self._problems = [topic for topic in listed if _is_problem(topic)]
        self._lessons = [topic for topic in listed if not _is_problem(topic)]
        self._only = facts.topics[0] if titled else None

    def learned(self) -> list[Point]:
        """Topics other than problems; if there are none, a summary of the commits."""
        return self._listed(self._lessons) or [
            self._page.required_point(self._summary(), *self._sources(self._facts.topics))
        ]

    def problem(self) -> list[Point]:
        """Fixes and reverts."""
        points = self._listed(self._problems)
        if points:
            return points
        kind = self._only.kind if self._only else None
        phrase = f"only_{kind}" if kind in PROBLEMS else "no_fix"
        return [self._page.required_point([self._say(phrase)], *self._sources(self._facts.topics))]

    def why(self) -> list[Point]:
        """Sentences from the messages' bodies, first those that give a reason."""
        subjects = {one_line(commit.message.base) for commit in self._facts.commits}
        bodies = list[tuple[Commit, str]]()
        for commit in [commit for topic in _ranked(self._facts.topics) for commit in topic.commits]:
            body = [unit for unit in commit.message.body if unit.rstrip(".") not in subjects]
            if body and commit.message.kind not in NO_REASON:
                bodies.append((commit, fitting_sentences(body, self._page.most_characters)))
        bodies.sort(key=lambda one: REASON.search(one[1]) is None)
        points = list[Point]()
        for commit, text in bodies:
            if len(points) < self._most and (point := self._page.point([text], self._page.of_commit(commit))):
                points.append(point)
        phrase = "why_long" if bodies else "why_none"
        if points:
            return points
        return [self._page.required_point([self._say(phrase)], *self._sources(self._facts.topics))]

    def _listed(self, topics: Sequence[Topic]) -> list[Point]:
        """A point for each topic; if there are too many, the last point counts the others."""
        points = dict[int, Point]()
        most = self._most if len(topics) <= self._most else self._most - 1
        for topic in _ranked(topics):
            if len(points) < most and (point := self._point(topic)):
                points[id(topic)] = point
        shown = [points[id(topic)] for topic in topics if id(topic) in points]
        rest = [topic for topic in topics if id(topic) not in points]
        return (
            [*shown, self._page.required_point(self._more(rest, bool(shown)), *self._sources(rest))]
            if rest
            else shown
        )

    def _point(self, topic: Topic) -> Point | None:
        """The point of a topic; if its subject is a single word, with the file that it changed most."""
        text, source = self._text(topic), self._page.of_commit(topic.commits[0])
        if " " in one_line(topic.subject) or topic.kind == "release" or self._page.most_cited == 1:
            return self._page.point([text], source)
        paths = Counter[str]()
        for commit in topic.commits:
            paths.update(commit.paths)
        changed = [path for path, _ in paths.most_common()]
        more = len(changed) - 1
        where = self._say("list_more", names=changed[0], n=more) if more else changed[0]
        return self._page.point([f"{text}: {where}"], source, changed[0]) or self._page.point([text], source)

    def _text(self, topic: Topic) -> str:
        """The subject, shortened if need be, and whether it was repeated or reverted."""
        subject, count = (
            one_line(topic.subject) or self._say("no_subject"),
            self._say("commits", n=topic.times),
        )
        phrase = _history_phrase(topic)
        around = len(self._say(phrase, subject="", commits=count)) if phrase else 0
        kept = shortened(subject, self._page.most_characters - around)
        kept = kept or self._say("long_subject", n=len(subject))
        return self._say(phrase, subject=kept, commits=count) if phrase else kept

    def _more(self, rest: Sequence[Topic], after_others: bool) -> list[str]:
        """Texts on the commits that are not shown, from the longest to the shortest, a mere number."""
        times = sum(topic.times for topic in rest)
        if not after_others:
            commits = self._say("commits", n=times)
            texts = [self._say("of_kinds", commits=commits, kinds=what) for what in self._breakdowns(rest)]
            return [*texts, commits]
        commits = self._say("more_commits", n=times)
        whole_list = [" · ".join(map(self._text, rest))] if len(rest) <= MOST_SUBJECTS else []
        texts = [self._say("more", n=commits, what=what) for what in [*whole_list, *self._breakdowns(rest)]]
        return [*texts, self._say("more_plain", n=commits)]

    def _summary(self) -> list[str]:
        """Texts on the whole day: the kinds of its commits, or what its only topic changed."""
        commits = self._say("commits", n=self._facts.times)
        kinds = [] if self._only else self._breakdowns(self._facts.topics)
        by_kind = (self._say("day_of_kinds", commits=commits, kinds=what) for what in kinds)
        return [*by_kind, *totals(self._facts, self._say)]

    def _breakdowns(self, topics: Sequence[Topic]) -> list[str]:
        """The commits by kind; if most have no known kind, by folder first."""
        kinds = Counter[str]()
        for topic in topics:
            kinds[topic.kind] += topic.times
        named = [self._say(kind, n=kinds[kind]) for kind in KINDS if kinds[kind] and kind != "other"]
        others = [self._say("other", n=kinds["other"])] if kinds["other"] else []
        by_kind = [self._say.joined([*named, *others])] if named else []
        kept, every = areas(
            item for topic in topics for commit in topic.commits for item in commit.paths.items()
        )
        where = self._say.joined(kept)
        by_folder = [self._say("where" if every else "where_mostly", where=where)] if kept else []
        return by_kind if kinds["other"] * 2 < kinds.total() else [*by_folder, *by_kind]

    def _sources(self, topics: Sequence[Topic]) -> list[str | None]:
        return [self._page.of_commit(topic.commits[0]) for topic in topics[: self._page.most_cited]]


def _is_problem(topic: Topic) -> bool:
    return topic.kind in PROBLEMS or topic.balance <= 0


def _history_phrase(topic: Topic) -> str | None:
    """The phrase for a topic that was repeated or reverted; None for the others."""
    if topic.balance == 0:
        return "redone" if all(commit.message.reverts for commit in topic.commits) else "undone"
    if topic.times == 1:
        return None
    return "back_and_forth" if topic.came_back else "times"


def _ranked(topics: Sequence[Topic]) -> list[Topic]:
    """By kind, the most important first, then by changed lines."""
    return sorted(topics, key=lambda topic: (KINDS.index(topic.kind), -topic.lines))


def title_of(facts: Facts, page: Page, most: int) -> tuple[str, bool]:
    """The title, of at most `most` characters, and whether it has the day's only topic."""
    say, repo = page.say, one_line(facts.request.repo)
    name = repo.rpartition("/")[2] or repo
    commits = say("commits", n=facts.times)
    heads = [f"{head}: " for head in dict.fromkeys([repo, name]) if head]
    if len(facts.topics) == 1 and (subject := one_line(facts.topics[0].subject)):
        phrase = _history_phrase(facts.topics[0])
        text = say(phrase, subject=subject, commits=commits) if phrase else subject
        if title := first_that_fits([f"{head}{text}" for head in [*heads, ""]], most):
            return title, True
    kept, every = areas((change.path, change.lines) for change in facts.changes if not change.unread)
    tails = (
        [say("in" if every else "mostly_in", what=commits, where=say.joined(kept)), commits]
        if kept
        else [commits]
    )
    titles = [f"{head}{tail}" for head in [*heads, ""] for tail in tails]
    return first_that_fits(titles, most) or commits, False
