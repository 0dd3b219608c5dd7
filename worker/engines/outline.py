"""No model: an extractive, deterministic outline of commit messages, paths and diff statistics."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from jobs.markdown import one_line
from jobs.post import Draft, Point
from jobs.request import ChangedFile, TilRequest
from jobs.room import KvCache
from worker.engines import Call, Encoded, EngineInfo, OnText, Written
from worker.engines.outline_phrases import PHRASES
from worker.pieces import label
from worker.schema import KEYWORD_CHARACTERS, TITLE_CHARACTERS, allowed

CHUNKS = 20
DEFINITION = re.compile(
    r"^\+\s*(?:export |pub |async |public |static )*"
    r"(?:def|class|func|fn|function|interface|struct|enum|type) +([A-Za-z_]\w{2,40})"
)
FIX = re.compile(r"\b(fix|bug|resolve|repair|correct|hotfix)|수정|고침|버그|修正|修复", re.IGNORECASE)
KINDS = {
    "py": "Python", "ts": "TypeScript", "tsx": "TypeScript", "js": "JavaScript", "java": "Java",
    "kt": "Kotlin", "go": "Go", "rs": "Rust", "c": "C", "cpp": "C++", "rb": "Ruby", "sql": "SQL",
    "md": "Markdown", "yml": "YAML", "yaml": "YAML", "toml": "TOML", "json": "JSON", "sh": "Shell",
    "html": "HTML", "css": "CSS",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One file's day in numbers, and the names that its added lines define."""

    file: ChangedFile
    added: int
    removed: int
    names: list[str]


@dataclass(frozen=True)
class Commit:
    """A commit message, and what a point about it may cite."""

    subject: str
    body: str
    source: str


class OutlineEngine:
    """Takes `seconds` for each post, for load tests and demonstrations; 0: at once."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._running = 0
        self.info = EngineInfo("outline", version("til-queue"), None, None, None)

    async def start(self) -> None:
        """There is nothing to load."""

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """It reads the request itself, so a prompt has no bound."""
        return None

    def encode(self, system: str, user: str) -> Encoded:
        """A usual estimate: four characters a token."""
        return Encoded((len(system) + len(user)) // 4 + 1)

    def kv_cache(self) -> KvCache | None:
        """It holds nothing."""
        return None

    async def generate(self, call: Call, on_text: OnText) -> Written:
        """The outline as JSON, in pieces spread over `seconds`."""
        self._running += 1
        try:
            return await self._generate(call, on_text)
        finally:
            self._running -= 1

    async def _generate(self, call: Call, on_text: OnText) -> Written:
        text = outline(call.request, *allowed(call.schema)).model_dump_json()
        if self._seconds <= 0:
            on_text(text, 0)
        else:
            step = len(text) // CHUNKS + 1
            for begin in range(0, len(text), step):
                await asyncio.sleep(self._seconds / CHUNKS)
                on_text(text[begin : begin + step], 0)
        return Written(text, True, 0, 0, 0)

    async def alive(self) -> bool:
        """It answers as long as its process does."""
        return True

    def load(self) -> tuple[int, int]:
        """Nothing waits in it."""
        return self._running, 0

    async def close(self) -> None:
        """There is nothing to free."""


def outline(request: TilRequest, sources: list[str], most: int, text_characters: int) -> Draft:
    """The draft of a day: up to `most` points a section of `text_characters`. Deterministic."""
    phrases, known = PHRASES[request.language], set(sources)
    commits = _commits(request)
    changes = sorted((_change(file) for file in request.files), key=lambda c: -c.added - c.removed)

    def point(phrase: str, source: str, **facts: Any) -> Point:
        citable = label(source) if label(source) in known else sources[0]
        text = one_line(phrases[phrase].format(**facts)) or source
        return Point(text=_short(text, text_characters), sources=[citable])

    fixes = [commit for commit in commits if FIX.search(commit.subject)]
    reasons = [commit for commit in commits if commit.body]
    first, top = commits[0], changes[0]
    return Draft(
        title=_short(phrases["title"].format(repo=request.repo, subject=first.subject), TITLE_CHARACTERS),
        keywords=_keywords(request, changes),
        learned=[point("learned", c.source, subject=c.subject) for c in commits[:most]],
        concepts=_concepts(point, changes, most),
        why=[point("why_body", c.source, body=c.body) for c in reasons[:most]]
        or [point("why_none", first.source, subject=first.subject)],
        how=[
            point("how", c.file.filepath, path=c.file.filepath, added=c.added, removed=c.removed)
            for c in changes[:most]
        ],
        problem=[point("problem", c.source, subject=c.subject) for c in fixes[:most]]
        or [point("problem_none", top.file.filepath, path=top.file.filepath)],
        reflection=_reflection(point, commits, changes)[:most],
    )


def _reflection(point: Any, commits: list[Commit], changes: list[Change]) -> list[Point]:
    total = {"added": sum(c.added for c in changes), "removed": sum(c.removed for c in changes)}
    tests = [c.file.filepath for c in changes if "test" in c.file.filepath.lower()]
    top = changes[0].file.filepath
    return [
        point("reflection", commits[0].source, commits=len(commits), files=len(changes), **total),
        point("tested", tests[0], path=tests[0]) if tests else point("untested", top, path=top),
    ]


def _concepts(point: Any, changes: list[Change], most: int) -> list[Point]:
    named = [c for c in changes if c.names][: most - 1]
    kinds = Counter(_kind(c.file.filepath) for c in changes)
    (kind, files), path = kinds.most_common(1)[0], changes[0].file.filepath
    points = [
        point("concept_names", c.file.filepath, path=c.file.filepath, names=", ".join(c.names[:6]))
        for c in named
    ]
    return [*points, point("concept_kind", path, kind=kind, files=files)]


def _commits(request: TilRequest) -> list[Commit]:
    """Each commit once, in the order of the files that it changed."""
    found: dict[tuple[str, str], Commit] = {}
    for file in request.files:
        for patch in file.patches:
            subject, _, body = patch.commit_message.strip().partition("\n")
            source = patch.sha or file.filepath
            prose = one_line(re.sub(r"(?m)^[A-Z][A-Za-z-]+-[Bb]y: .*$", "", body))
            key = (patch.sha or "", patch.commit_message)
            found.setdefault(key, Commit(one_line(subject) or source, prose, source))
    return list(found.values())


def _change(file: ChangedFile) -> Change:
    lines = [line for patch in file.patches for line in patch.patch.splitlines()]
    added = [line for line in lines if line.startswith("+") and not line.startswith("+++")]
    removed = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    names = [match[1] for line in added if (match := DEFINITION.match(line))]
    return Change(file, len(added), removed, list(dict.fromkeys(names)))


def _keywords(request: TilRequest, changes: list[Change]) -> list[str]:
    kinds = [kind for kind, _ in Counter(_kind(c.file.filepath) for c in changes).most_common(2)]
    names = [name for change in changes for name in change.names[:2]]
    wanted = [*kinds, *names, request.repo.split("/")[-1]]
    return [_short(one_line(word), KEYWORD_CHARACTERS) or "git" for word in dict.fromkeys(wanted)][:5]


def _kind(path: str) -> str:
    extension = path.rsplit("/", 1)[-1].rsplit(".", 1)[-1].lower()
    return KINDS.get(extension, _short(extension, KEYWORD_CHARACTERS))


def _short(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"
