"""The sections that are made from changed files: concepts, how to use it, and the reflection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from til.post import Point
from worker.engines.outline.facts import Facts, totals
from worker.engines.outline.files import Change
from worker.engines.outline.names import Names
from worker.engines.outline.page import Page
from worker.engines.outline.paths import is_code, is_test

MOST_NAMES, MOST_KINDS = 6, 2
MOST_POINTS_ON_NAMES, MOST_POINTS_ON_DEPENDENCIES = 7, 4
MOST_SIGNATURES, MOST_FILES, MOST_TESTS = 3, 8, 3
"""In a section, however many points it may have."""
TAKES = re.compile(r"\(\s*(?!(?:&?(?:mut )?self|cls)?\s*\))(?!self: \w+\s*\))\S")
"""Matches parameters other than `self` and `cls`."""
TEST_NAME = ("test", "Test", "it_", "should")


class ChangeSections:
    """Points on names, files and numbers; each cites a file that shows it."""

    def __init__(self, facts: Facts, page: Page, most: int) -> None:
        self._facts, self._page, self._say, self._most = facts, page, page.say, most
        self._read = [change for change in facts.changes if not change.unread]
        self._named = [(change.path, facts.names[change.path]) for change in self._read]

    def concepts(self) -> list[Point]:
        """Dependencies and names that are new, changed or gone, then the languages with the most changes."""
        kinds = [point for kind in self._facts.kinds()[:MOST_KINDS] if (point := self._kind(kind))]
        most = min(MOST_POINTS_ON_NAMES, self._most - min(1, len(kinds)))
        points = list(self._some(self._dependencies(), min(MOST_POINTS_ON_DEPENDENCIES, most)))
        points = [*points, *self._some(self._names(), most - len(points)), *kinds][: self._most]
        if points:
            return points
        return [self._page.required_point([self._say("no_concepts")], *self._paths(self._facts.changes))]

    def _dependencies(self) -> Iterator[Point | None]:
        for change in self._read:
            of_file, path = self._facts.pinned[change.path], change.path
            yield self._list_of("new_dependencies", of_file.new, path)
            yield self._list_of("other_versions", of_file.changed, path)
            yield self._list_of("gone_dependencies", of_file.gone, path)
            yield self._list_of("new_keys", self._facts.keys[path], path)

    def _names(self) -> Iterator[Point | None]:
        files = [(path, names) for path, names in self._named if not is_test(path)]
        for path, names in files:
            for origin in dict.fromkeys(names.moved.values()):
                moved = [name for name, came_from in names.moved.items() if came_from == origin]
                yield self._list_of("moved_names", moved, path, origin=origin)
        seen = set[str]()
        for path, names in files:
            yield self._list_of("new_names", [name for name in names.new if name not in seen], path)
            seen.update(names.new)
        for path, names in files:
            yield self._list_of("gone_names", names.gone, path)

    def _list_of(self, phrase: str, names: Sequence[str], path: str, **facts: str) -> Point | None:
        """As many of the public names as fit, and how many more there are."""
        public = [name for name in names if not name.startswith("_")]
        texts = [
            self._say(phrase, n=len(public), path=path, names=self._first(public, count), **facts)
            for count in range(min(len(public), MOST_NAMES), 0, -1)
        ]
        return self._page.point(texts, path, facts.get("origin"))

    def _first(self, names: Sequence[str], count: int) -> str:
        listed = self._say("comma").join(names[:count])
        more = len(names) - count
        return self._say("list_more", names=listed, n=more) if more else self._say.joined(names)

    def _kind(self, kind: str) -> Point | None:
        changes = [change for change in self._read if change.kind == kind]
        added, removed = sum(c.added for c in changes), sum(c.removed for c in changes)
        files = self._say("files", n=len(changes))
        text = self._say("kind", kind=kind, files=files, lines=self._say.lines(added, removed))
        return self._page.point([text if added or removed else f"{kind}: {files}"], *self._paths(changes)[:1])

    def how(self) -> list[Point]:
        """How each file changed, the most important first, the others counted; then signatures."""
        changes, shown, points = self._facts.changes, list[Change](), list[Point]()
        most = min(MOST_FILES, self._most)
        most = most if len(changes) <= most else most - 1
        for change in changes:
            if len(points) < most and (point := self._page.point([self._file(change)], change.path)):
                points.append(point)
                shown.append(change)
        seen = set(map(id, shown))
        rest = [change for change in changes if id(change) not in seen]
        points += [self._others(rest, bool(points))] if rest else []
        return [*points, *self._some(self._signatures(), min(MOST_SIGNATURES, self._most - len(points)))]

    def _signatures(self) -> Iterator[Point | None]:
        """Changed signatures, then new ones, of public functions whose parameters are on one line."""
        files = [(path, names) for path, names in self._named if is_code(path)]
        for path, names in files:
            for name, (old, new) in names.changed.items():
                if _is_public_call(name, new) and _is_public_call(name, old):
                    text = self._say("signature_changed", path=path, old=_bare(old), new=_bare(new))
                    yield self._page.point([text], path)
        for path, names in files:
            for name in names.new:
                if _is_public_call(name, line := names.signatures[name]) and TAKES.search(line):
                    yield self._page.point([self._say("signature", path=path, new=_bare(line))], path)

    def _others(self, rest: Sequence[Change], after_some: bool) -> Point:
        if not after_some:
            files = self._say("files", n=len(rest))
            return self._page.required_point([self._say("files_only", files=files)], *self._paths(rest))
        lines = self._say.lines(sum(change.added for change in rest), sum(change.removed for change in rest))
        text = self._say("more_files", n=len(rest), lines=lines)
        return self._page.required_point([text], *self._paths(rest))

    def _file(self, change: Change) -> str:
        facts = {"path": change.path, "added": change.added, "removed": change.removed}
        notes = [] if change.state == "changed" else [self._say(change.state, origin=change.origin)]
        notes += [self._say(change.unread)] if change.unread else []
        return (
            self._say("file_note", note=self._say("comma").join(notes), **facts)
            if notes
            else self._say("file", **facts)
        )

    def reflection(self, has_total: bool) -> list[Point]:
        """The totals of the day, unless another section has them (`has_total`), and the tests."""
        points = [] if has_total else [self._total()]
        points += self._tests() if len(points) < self._most else []
        if len(points) < self._most and not any(is_test(change.path) for change in self._facts.changes):
            code = [change for change in self._read if is_code(change.path)]
            paths = self._paths(code or self._facts.changes)
            text = self._say("untested" if code else "no_code")
            points.append(self._page.required_point([text], *paths[:1]))
        return points or [self._total()]

    def _total(self) -> Point:
        source = self._page.of_commit(self._facts.commits[0])
        return self._page.required_point(totals(self._facts, self._say), source)

    def _tests(self) -> list[Point]:
        """The new tests by name, and the number of further files with new tests; else a changed test file."""
        most = min(MOST_TESTS, self._most - 1)
        tests = [(path, new) for path, names in self._named if (new := _tests_of(path, names))]
        points = list(self._some((self._list_of("new_tests", new, path) for path, new in tests), most))
        cited = {source for point in points for source in point.sources}
        rest = [path for path, _ in tests if not cited & set(self._page.citable(path))]
        if points and rest:
            more = self._page.point([self._say("more_tests", n=len(rest))], *rest)
            return [*points, *([more] if more and len(points) < self._most - 1 else [])]
        changed = [change.path for change in self._read if is_test(change.path)]
        tested = (self._page.point([self._say("tested", path=path)], path) for path in changed)
        return points or list(self._some(tested, 1))

    def _paths(self, changes: Sequence[Change]) -> list[str]:
        """The paths that may be cited, as many as a point may cite."""
        found = list[str]()
        for change in changes:
            if len(found) == self._page.most_cited:
                break
            found += [change.path] if self._page.citable(change.path) else []
        return found

    def _some(self, points: Iterator[Point | None], most: int) -> Iterator[Point]:
        """The first points that are not None."""
        made = 0
        while made < most and (point := next(points, self)) is not self:
            if isinstance(point, Point):
                made += 1
                yield point


def _is_public_call(name: str, line: str) -> bool:
    """Whether the name is public, and its parameters begin and end on this line."""
    return not name.startswith("_") and "(" in line and line.count("(") == line.count(")") and line[-1] != ","


def _bare(line: str) -> str:
    """The line of a definition without the mark that begins the body."""
    return line.rstrip(" :{").removesuffix("=>").rstrip()


def _tests_of(path: str, names: Names) -> list[str]:
    """The names of new tests; in some languages the name is a sentence."""
    return [name for name in names.new if name.startswith(TEST_NAME) or " " in name] if is_test(path) else []
