"""Days for the outline, written out and drawn, and the reading of a draft."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.stack.processes import day
from til.citations import label
from til.post import SECTIONS, Draft, Point
from til.request import TilRequest
from worker.engines.outline.draft import outline
from worker.engines.outline.engine import allowed
from worker.writing.schema import post_schema

Change = tuple[str, str, str]
"""A path, a commit's message and its patch to that file."""
CODE = {
    "src/mill.py": ["+def turn(a):", "-def turn(a):", "+def turn(a, b):", "+class Mill:", "-class Mill:"],
    "src/card.py": ["+def turn(a):", "-def punch(a):", "+def punch(a):", "+x = 1", "-x = 2", " x"],
    "web/app.ts": ["+export function show(a) {", "-export function show(a) {", "+const x = 1"],
    "tests/test_mill.py": ["+def test_it_turns():", "-def test_it_turns():", "+    assert True"],
    "README.md": ["+# Mill", "-old", "+new"],
    "uv.lock": ["+a = 1", "-a = 2"],
    "logo.png": ["Binary files a/logo.png and b/logo.png differ"],
}
MESSAGES = [
    "feat: turn the mill\n\nIt stood still. So nobody could grind.",
    "fix(mill): the crank turns",
    "wip",
    "docs: say how to turn it",
    "Merge branch 'main' into mill",
    "Bump numpy from 1.0 to 1.1 (#12)",
    "v1.2.0",
    'Revert "feat: turn the mill"',
    'Reapply "feat: turn the mill"',
    "fixup! fix(mill): the crank turns",
    "",
    "크랭크를 돌린다\n\n멈춰 있었기 때문이다.",
    "修复曲柄",
    "chore: " + "tidy the mill and its cards " * 20,
    "x" * 500,
    "Fix a\n\nSigned-off-by: A <a@b.c>\nChange-Id: I0123456789",
    "# not a heading",
    "- <b>no</b> `list` | [x](y)",
    *(f"feat: card {number}" for number in range(9)),
    *(f"fix: tooth {number}" for number in range(9)),
]
COMMITS = st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=20)


@st.composite
def drawn_days(draw: st.DrawFn) -> TilRequest:
    """Commits, each with a SHA of its own, to one to three files."""
    changes = dict[str, list[dict[str, str]]]()
    for number, message in enumerate(draw(COMMITS)):
        paths = st.lists(st.sampled_from(sorted(CODE)), min_size=1, max_size=3, unique=True)
        for path in draw(paths):
            lines = draw(st.lists(st.sampled_from(CODE[path]), max_size=5))
            patch = {"commit_message": message, "patch": "\n".join(lines), "sha": f"{number:07x}"}
            changes.setdefault(path, []).append(patch)
    return request_of(changes, language=draw(st.sampled_from(["ko", "en", "ja", "zh"])))


def request_of(changes: dict[str, list[dict[str, str]]], **more: Any) -> TilRequest:
    """A request of these patches by path."""
    files = [{"filepath": path, "patches": patches} for path, patches in changes.items()]
    return TilRequest.model_validate(day(files=files) | more)


def of_changes(*changes: Change, code: dict[str, str] | None = None, **more: Any) -> TilRequest:
    """A day of commits, each to one file, oldest first."""
    files = dict[str, dict[str, Any]]()
    for number, (path, message, patch) in enumerate(changes):
        new = {"filepath": path, "latest_code": (code or {}).get(path, ""), "patches": []}
        file = files.setdefault(path, new)
        file["patches"].append({"commit_message": message, "patch": patch, "sha": f"{number:07x}"})
    return TilRequest.model_validate(day(files=list(files.values())) | more)


def of_messages(*messages: str, **more: Any) -> TilRequest:
    """A day of commits with these messages to one file."""
    return of_changes(*(("src/mill.py", message, "@@ -1 +1 @@\n-a\n+b\n") for message in messages), **more)


def draft_of(request: TilRequest, tokens: int | None = None) -> Draft:
    """The outline, by the schema for so many tokens; None: as the engine writes it."""
    labels = {label(source): source for source in reversed(request.sources())}
    sources = [label(source) for source in request.sources()]
    draft = outline(request, *allowed(post_schema(list(dict.fromkeys(sources)), request.language, tokens)))
    for point in points_of(draft):
        point.sources = [labels[source] for source in point.sources]
    return draft


def points_of(draft: Draft) -> list[Point]:
    """All points of all sections."""
    return [point for name in SECTIONS for point in getattr(draft, name)]


def texts(draft: Draft, section: str) -> list[str]:
    """What the points of a section say."""
    return [point.text for point in getattr(draft, section)]
