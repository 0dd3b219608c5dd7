"""Makes the points of an outline: each text fits its length, appears once and cites its sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from til.citations import label
from til.markdown import one_line
from til.post import Point
from til.request import TilRequest
from worker.engines.outline.commits import Commit
from worker.engines.outline.phrases import Say
from worker.engines.outline.prose import first_that_fits


class Page:
    """Makes points of at most `most_characters` that cite at most `most_cited` of these source labels."""

    def __init__(
        self, request: TilRequest, sources: Sequence[str], most_characters: int, most_cited: int
    ) -> None:
        self.say = Say(request.language)
        self.most_characters, self.most_cited = most_characters, most_cited
        self._allowed, self._any = set(sources), sources[0]
        self._owners: dict[str, str] = {}
        for source in request.sources():
            self._owners.setdefault(label(source), source)
        self._used = set[str]()

    def citable(self, *sources: str | None) -> list[str]:
        """The labels of those sources that may be cited, without labels that mean another source."""
        found = dict.fromkeys(label(source) for source in sources if source and self._may_cite(source))
        return list(found)[: self.most_cited]

    def _may_cite(self, source: str) -> bool:
        return label(source) in self._allowed and self._owners.get(label(source)) == source

    def of_commit(self, commit: Commit) -> str | None:
        """The source to cite for a commit: its SHA, else the file that it changed most; None: neither."""
        paths = [path for path, _ in commit.paths.most_common()]
        return next((source for source in [commit.sha, *paths] if source and self._may_cite(source)), None)

    def point(self, candidates: Iterable[str], *sources: str | None) -> Point | None:
        """A point with the first text that fits; None if none does, it was used before, or has no source."""
        cited = self.citable(*sources)
        text = first_that_fits((one_line(candidate) for candidate in candidates), self.most_characters)
        if not cited or text is None or text in self._used:
            return None
        self._used.add(text)
        return Point(text=text, sources=cited)

    def required_point(self, candidates: Sequence[str], *sources: str | None) -> Point:
        """A point in any case: else with the shortest text, and with any source."""
        texts = [one_line(candidate) for candidate in candidates]
        text = first_that_fits(texts, self.most_characters) or min(texts, key=len)
        self._used.add(text)
        return Point(text=text, sources=self.citable(*sources) or [self._any])
