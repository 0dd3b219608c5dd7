"""The runbooks as text: their commands, what they name in `code`, their links and anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "operations"
PAGES = sorted(FOLDER.glob("*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    """The blocks of code in this language."""
    return [text for found, text in BLOCK.findall(page) if found == language]


def commands(page: str) -> list[str]:
    """The commands of the shell blocks, one each, without comments."""
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").replace("|\n", "| ").splitlines()
    return [line.split("  # ")[0].strip() for line in lines if line.strip()]


def code(page: str) -> list[str]:
    """All that is written as code: commands, lines of other blocks, and what stands between backticks."""
    inline = [" ".join(text.split()) for text in re.findall(r"`([^`]+)`", BLOCK.sub("", page))]
    others = [line for found, text in BLOCK.findall(page) if found != "sh" for line in text.splitlines()]
    return [*commands(page), *others, *inline]


def all_code() -> list[str]:
    """`code` of every page."""
    return [text for page in PAGES for text in code(page.read_text())]


def named(pattern: str) -> set[str]:
    """What the pattern finds in the code of any page."""
    return {match for text in all_code() for match in re.findall(pattern, text)}


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """Each link of a page into the repository: the file, and the anchor or an empty text."""
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", path.read_text()):
        name, _, anchor = link.partition("#")
        yield (path.parent / name).resolve() if name else path, anchor


def anchors(path: Path) -> set[str]:
    """The anchors that a page's headings get."""
    titles = re.findall(r"(?m)^#+ (.*)$", BLOCK.sub("", path.read_text()))
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
