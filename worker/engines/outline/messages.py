"""Parses a commit's message: its subject and kind, what it reverts, and the sentences of its body. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from til.markdown import one_line
from til.shown import composed
from worker.engines.outline.prose import Unit, units

KINDS = (
    "feature", "fix", "performance", "refactoring", "other", "documentation", "test", "build", "style",
    "chore", "dependency", "release", "revert", "merge",
)  # fmt: skip
"""The most important first."""
TYPES = {
    "feat": "feature", "feature": "feature",
    "fix": "fix", "hotfix": "fix", "bugfix": "fix", "security": "fix",
    "perf": "performance", "refactor": "refactoring", "docs": "documentation", "doc": "documentation",
    "test": "test", "tests": "test", "build": "build", "ci": "build", "style": "style", "chore": "chore",
    "deps": "dependency", "release": "release", "revert": "revert",
}  # fmt: skip
TYPED = re.compile(r"(?P<type>[A-Za-z]+)(?:\((?P<scope>[^()]{1,60})\))?!?[:：] *(?P<rest>\S.*)")
GITMOJI = {"✨": "feature", "🐛": "fix", "🚑": "fix", "🔒": "fix", "⚡": "performance", "♻": "refactoring",
    "📝": "documentation", "✅": "test", "👷": "build", "🎨": "style", "🔖": "release", "⬆": "dependency",
    ":sparkles:": "feature", ":bug:": "fix", ":ambulance:": "fix", ":lock:": "fix", ":zap:": "performance",
    ":recycle:": "refactoring", ":memo:": "documentation", ":white_check_mark:": "test",
    ":art:": "style", ":bookmark:": "release", ":arrow_up:": "dependency",
}  # fmt: skip
WORDS = {
    "merge": r"Merge (?:branch|branches|pull request|remote-tracking|tag|commit)\b"
    r"|Merged in |Merge \S+ into \S+$",
    "dependency": r"(?:chore|build|fix|feat)\((?:deps|deps-dev|dependencies)\)|Update dependency "
    r"|(?:Bump|Upgrade|Update) \S+ (?:from \S+ )?to v?\d",
    "release": r"Release |Bump version|Version |chore\(release\)|Prepare release |v?\d+\.\d+(?:\.\d+)?\S*$",
}
KIND_BY_WORDS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in WORDS.items()}
FIXES = re.compile(
    r"(?:\[[^\]]*\] *|[\w/.,*-]+: *){0,4}"
    r"(?:(?:bug|hot)?fix(?:es|ed|ing)?|resolve[sd]?|repair(?:s|ed)?|correct(?:s|ed)?)\b"
    r"(?!.*\bconflicts?\b)"
    r"|.*\b(?:bug|hot)[ -]?fix(?:es)?\b"
    r"|.*(?:버그|오류|에러|결함|문제|장애)[^,.;]{0,20}(?:수정|해결|고침)|.*(?:고침|고친다|바로잡)"
    r"|.*(?:バグ|不具合|エラー|問題|障害)[^、。]{0,20}(?:修正|解消|解決)"
    r"|.*修复|.*解决[^，。]{0,20}(?:问题|错误|异常)",
    re.IGNORECASE,
)
REVERTS = re.compile(r"(?P<word>Revert|Back out|Reapply) [\"“](?P<base>.+)[\"”](?: \(#\d+\))?", re.IGNORECASE)
REVERT_TYPE = re.compile(r"revert(?:\([^()]*\))?!?: *(?P<base>\S.*)", re.IGNORECASE)
REVERTED_SHA = re.compile(r"This (?:reverts|backs out) commit ([0-9a-f]{7,64})")
AMENDS = re.compile(r"(?:fixup|squash|amend)! *(?P<base>\S.*)")
NEW_PARAGRAPH = re.compile(r"[-*•#>|\d]|[A-Z][\w-]*: |\s")
WRAPPED_FROM, SURELY_WRAPPED_FROM = 40, 60
"""From so many characters on a line counts as wrapped, if the next begins with a small letter, or any."""
LONGEST_READ = 300
MOST_NESTED = 20


@dataclass(frozen=True)
class Message:
    """`subject`: the first line, unwrapped. `base`: the subject without any `Revert "..."` around it.

    `reverts`: how many of these there were; `Reapply` counts as two. `reverted_sha`: the commit that the body
    says to revert.
    """

    subject: str
    kind: str
    scope: str | None
    base: str
    reverts: int
    reverted_sha: str | None
    body: list[Unit]


def read_message(text: str) -> Message:
    """Parse the message. Linear."""
    subject, body = _with_title(*_split(composed(text)))
    base, reverts = _base(subject)
    sha = REVERTED_SHA.search(body)
    kind = "revert" if reverts else kind_of(base)
    typed = TYPED.fullmatch(base)
    return Message(
        subject=subject,
        kind="revert" if sha else kind,
        scope=one_line(typed["scope"] or "") or None if typed and kind != "merge" else None,
        base=base,
        reverts=reverts or (1 if sha else 0),
        reverted_sha=sha[1] if sha else None,
        body=units(body),
    )


def _split(text: str) -> tuple[str, str]:
    """The subject, unwrapped into one line, and the body."""
    lines = text.strip().split("\n")
    count = 1
    while count < len(lines) and _is_wrapped(lines[count - 1].rstrip(), lines[count]):
        count += 1
    return one_line(" ".join(lines[:count])), "\n".join(lines[count:])


def _with_title(subject: str, body: str) -> tuple[str, str]:
    """For GitHub's merges of pull requests: add the title, which is the first line of the body."""
    title, _, rest = body.strip().partition("\n")
    if subject.startswith("Merge pull request #") and title:
        return f"{subject}: {one_line(title)}", rest
    return subject, body


def _is_wrapped(line: str, following: str) -> bool:
    """Whether the line was wrapped, so that its sentence continues on the following one."""
    if (
        not following.strip()
        or NEW_PARAGRAPH.match(following)
        or line.endswith((".", "!", "?", "。", ":", ")"))
    ):
        return False
    return len(line) >= (WRAPPED_FROM if following[0].islower() else SURELY_WRAPPED_FROM)


def _base(subject: str) -> tuple[str, int]:
    base, reverts = subject, 0
    for _ in range(MOST_NESTED):
        if match := REVERTS.fullmatch(base):
            base, reverts = match["base"], reverts + (2 if match["word"].lower() == "reapply" else 1)
        elif match := REVERT_TYPE.fullmatch(base):
            base, reverts = match["base"], reverts + 1
        elif match := AMENDS.fullmatch(base):
            base = match["base"]
        else:
            break
    return base, reverts


def kind_of(subject: str) -> str:
    """One of `KINDS`, by the conventional-commits type, an emoji or words; else `other`."""
    subject = subject[:LONGEST_READ]
    for kind, pattern in KIND_BY_WORDS.items():
        if pattern.match(subject):
            return kind
    first = subject.split(" ", 1)[0].rstrip("\ufe0f")
    if first in GITMOJI:
        return GITMOJI[first]
    typed = TYPED.fullmatch(subject)
    if typed and typed["type"].lower() in TYPES:
        return TYPES[typed["type"].lower()]
    return "fix" if FIXES.match(subject) else "other"
