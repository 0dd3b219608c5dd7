"""Renders a draft as markdown, and escapes everything in it that comes from commits. Pure."""

from __future__ import annotations

import re

from til.languages import WORDS
from til.post import SECTIONS, Draft, Point, Result, Section
from til.request import TilRequest

SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$]|!(?=\[))")
WORD_CHARACTERS = "".join(map(chr, range(0x21, 0x7F)))
WORD = re.compile("[!-~]+")
LINKED = re.compile(r"://|www\.|@[\w-]", re.IGNORECASE | re.ASCII)
"""The start of a URL, mail address or mention. Escaping can't stop renderers from linking these: GitHub,
remark-gfm and linkify-it look for them after they have removed the escapes."""
OPENING, CLOSING = "([{<\"'`", ")]}>\"'`.,;:!?"
"""Characters around an address that are no part of it."""
LIST_START = re.compile(r"^(\d{1,9})([.)])")
RULE_START = re.compile(r"^([-+=])")
OTHER_SPACE = re.compile(r"[^\S ]")
HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, lone surrogates, and marks that change the direction of the text."""
SHA = re.compile(r"[0-9a-fA-F]{7,64}")
TITLE = "# "
BETWEEN_KEYWORDS = ", "
BULLET = "\n- "


def render(draft: Draft, request: TilRequest, note: str | None = None) -> Result:
    """The finished post. `note` is a line under the title, e.g. that no language model wrote it."""
    title, keywords = one_line(draft.title), [one_line(keyword) for keyword in draft.keywords]
    sections = [
        Section(heading=words, points=[_cleaned(point) for point in getattr(draft, name)])
        for name, words in zip(SECTIONS, WORDS[request.language].headings, strict=True)
    ]
    content = TITLE + escape(title) + under_title(request, note)
    content += BETWEEN_KEYWORDS.join(escape(keyword) for keyword in keywords)
    for section in sections:
        content += heading(section.heading)
        content += "".join(BULLET + escape(point.text) + support(point.sources) for point in section.points)
    return Result(title=title, keywords=keywords, content=content.rstrip() + "\n", sections=sections)


def _cleaned(point: Point) -> Point:
    return Point(text=one_line(point.text), sources=point.sources)


def under_title(request: TilRequest, note: str | None) -> str:
    """The text between the title and the first keyword."""
    words = WORDS[request.language]
    noted = f"*{escape(note)}*\n\n" if note else ""
    return f"\n\n{escape(request.repo)} · {words.day(request.date)}\n\n{noted}**{words.keywords}**: "


def heading(words: str) -> str:
    """A section's heading with the blank line before it."""
    return f"\n\n## {words}\n"


def support(sources: list[str]) -> str:
    """A point's sources, in parentheses as inline code; "" if it has none."""
    shown = ", ".join(code(short(source)) for source in sources)
    return f" ({shown})" if shown else ""


def short(source: str) -> str:
    """A SHA by its first ten digits, a path whole."""
    return source[:10] if SHA.fullmatch(source) else source


def one_line(text: str) -> str:
    """The text on one line, without control characters and marks that change the direction of the text."""
    return " ".join(visible(text).split())


def visible(text: str) -> str:
    """As `one_line`, but runs of white space keep their length."""
    return text if text.isprintable() else HIDDEN.sub("", OTHER_SPACE.sub(" ", text))


def escape(text: str) -> str:
    """Plain text as markdown that shows it: no HTML, emphasis, headings, lists or fences, and no links.

    An address or a mention (`www.`, `https://`, a mail address, `@name`) becomes inline code: renderers make
    no links in code, and a mention in code notifies nobody.
    """
    return escape_start(escape_marks(one_line(text)))


def escape_marks(line: str) -> str:
    """Escapes what is markup anywhere in a line. A part of a line must not cut an ASCII word in two."""
    return WORD.sub(lambda match: _word(match[0]), line)


def _word(word: str) -> str:
    if not LINKED.search(word):
        return SPECIAL.sub(r"\\\1", word)
    begun = word.lstrip(OPENING)
    address = begun.rstrip(CLOSING)
    before, after = word[: len(word) - len(begun)], begun[len(address) :]
    return SPECIAL.sub(r"\\\1", before) + code(address) + SPECIAL.sub(r"\\\1", after)


def escape_start(line: str) -> str:
    """Escapes what is markup at the start of a line only."""
    return RULE_START.sub(r"\\\1", LIST_START.sub(r"\1\\\2", line))


def code(text: str) -> str:
    """Inline code that its own backticks can't end (CommonMark 0.31, section 6.1)."""
    plain = one_line(text)
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"
