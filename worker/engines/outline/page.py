"""Where the outline's points are written: whole, within their room, once, and with what supports them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from til.citations import label
from til.markdown import one_line
from til.post import Point
from til.request import TilRequest
from worker.engines.outline.commits import Commit
from worker.engines.outline.phrases import Say
from worker.engines.outline.prose import whole


class Page:
    """Makes points of at most `room` characters that cite at most `cited` of these `sources`."""

    def __init__(self, request: TilRequest, sources: Sequence[str], room: int, cited: int) -> None:
        self.say, self.room, self.most_cited = Say(request.language), room, cited
        self._allowed, self._any = set(sources), sources[0]
        self._owners: dict[str, str] = {}
        for source in request.sources():
            self._owners.setdefault(label(source), source)
        self._said = set[str]()

    def citable(self, *sources: str | None) -> list[str]:
        """How those of the sources are cited that may be, and that no other one is cited as."""
        found = dict.fromkeys(label(source) for source in sources if source and self._may_cite(source))
        return list(found)[: self.most_cited]

    def _may_cite(self, source: str) -> bool:
        return label(source) in self._allowed and self._owners.get(label(source)) == source

    def of_commit(self, commit: Commit) -> str | None:
        """What supports a statement about the commit: its SHA, else the file that it changed most."""
        paths = [path for path, _ in commit.paths.most_common()]
        return next((source for source in [commit.sha, *paths] if source and self._may_cite(source)), None)

    def point(self, candidates: Iterable[str], *sources: str | None) -> Point | None:
        """The first text that fits and has not been said; None where none does, or nothing supports it."""
        cited = self.citable(*sources)
        text = whole((one_line(candidate) for candidate in candidates), self.room)
        if not cited or text is None or text in self._said:
            return None
        self._said.add(text)
        return Point(text=text, sources=cited)

    def surely(self, candidates: Sequence[str], *sources: str | None) -> Point:
        """A point about the day as a whole: its last text is the shortest, and any source will do."""
        texts = [one_line(candidate) for candidate in candidates]
        text = whole(texts, self.room) or min(texts, key=len)
        self._said.add(text)
        return Point(text=text, sources=self.citable(*sources) or [self._any])
