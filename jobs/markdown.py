"""A draft as markdown. Pure; nothing that a commit says becomes markup."""

from __future__ import annotations

import re
import unicodedata

from jobs.languages import WORDS
from jobs.post import SECTIONS, Draft, Point, Result, Section
from jobs.request import TilRequest

SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&@]|!(?=\[)|:(?=//))")
LIST_START = re.compile(r"^(\d{1,9})([.)])")
RULE_START = re.compile(r"^([-+=])")
SHA = re.compile(r"[0-9a-fA-F]{7,64}")


def render(draft: Draft, request: TilRequest, note: str | None = None) -> Result:
    """The finished post. `note` is a line under the title, e.g. that no language model wrote it."""
    words = WORDS[request.language]
    sections = [
        Section(heading=heading, points=getattr(draft, name))
        for name, heading in zip(SECTIONS, words.headings, strict=True)
    ]
    title, keywords = one_line(draft.title), [one_line(keyword) for keyword in draft.keywords]
    lines = [f"# {escape(title)}", "", f"{escape(request.repo)} · {words.day(request.date)}", ""]
    if note:
        lines += [f"*{escape(note)}*", ""]
    lines += [f"**{words.keywords}**: {', '.join(escape(keyword) for keyword in keywords)}", ""]
    for section in sections:
        lines += [f"## {section.heading}", "", *(bullet(point) for point in section.points), ""]
    return Result(title=title, keywords=keywords, content="\n".join(lines).rstrip() + "\n", sections=sections)


def bullet(point: Point) -> str:
    """One point and, as code, what supports it."""
    sources = ", ".join(code(short(source)) for source in point.sources)
    return f"- {escape(one_line(point.text))}" + (f" ({sources})" if sources else "")


def short(source: str) -> str:
    """A SHA by its first ten digits, a path whole."""
    return source[:10] if SHA.fullmatch(source) else source


def one_line(text: str) -> str:
    """The text on one line, without control characters and without marks that turn the writing around."""
    shown = "".join(" " if c.isspace() else c for c in text if c.isspace() or not _hidden(c))
    return " ".join(shown.split())


def _hidden(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Cc", "Cs"}
        or character in "\u200e\u200f\u061c"
        or ("\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069")
    )


def escape(text: str) -> str:
    """Plain text as markdown that shows it: no HTML, links, emphasis, headings, lists or fences."""
    safe = SPECIAL.sub(r"\\\1", one_line(text))
    safe = LIST_START.sub(r"\1\\\2", safe)
    return RULE_START.sub(r"\\\1", safe)


def code(text: str) -> str:
    """Inline code that its own backticks can't end (CommonMark 0.31, section 6.1)."""
    plain = one_line(text)
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"
