"""Splits a commit's message into sentences, and fits texts into a length. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from til.markdown import one_line

Unit = str
"""A sentence or a list item: the smallest part of a message's body that is shown."""
TRAILER = re.compile(
    r"(?:[A-Z][\w]*(?:-[\w]+)+: ?\S"  # Signed-off-by, Co-authored-by, Change-Id, Reviewed-by, PR-URL
    r"|(?:cc|link|links|bug|issue|issues|pr|jira|ticket|see|ref|refs|references|fixes|closes|fix|close|resolves|related"
    r"|relates|part of|git-svn-id|differential revision|summary|test plan|backport of)\b:? *(?:to )?"
    r"(?:https?://|[\w./-]*#\d|[A-Z][A-Z0-9]+-\d|[0-9a-f]{7,40}\b|[\w.-]+@|<|$)"
    r"|This (?:reverts|backs out) commit |\(cherry picked from |(?:# )?Conflicts:|🤖|Generated (?:with|by) )",
    re.IGNORECASE,
)
ONLY_REFERENCES = re.compile(
    r"(?:\[[^\]]*\]\([^)]*\)|https?://\S+|[A-Z][A-Z0-9]+-\d+|[\w./-]*#\d+|and\b|[\s,;.()\[\]])++"
)
ITEM = re.compile(r" {0,3}(?:[-*•+]|\d{1,3}[.)]) +")
CODE = re.compile(r"(?: {4}|\t)")
FENCE = re.compile(r" {0,3}(?:```|~~~)")
HEADING = re.compile(r"#{1,6} +|={3,}$|-{3,}$|<!--|[-*] \[[ xX]\] ")
ANY_TRAILER = re.compile(r"[A-Za-z][\w-]*(?:: | #)\S")
"""For a last paragraph of two lines or more, all of which match."""
END = re.compile(r"(?:[.!?…][\"')\]]*(?= +[^\sa-z])|[。！？][」』”）]*)\s*")
ABBREVIATED = re.compile(
    r"\b(?:e\.g|i\.e|etc|vs|cf|mr|ms|dr|st|no|approx|resp|incl|ca|[A-Za-z])\.$", re.IGNORECASE
)
MORE = " …"
MOST_CHARACTERS_READ, LONGEST_REFERENCE = 8000, 200


def units(body: str) -> list[Unit]:
    """The sentences of a message's body in order, without trailers, code, headings and bare references."""
    found, paragraph = list[Unit](), list[str]()
    fenced = False
    for line in [*_without_trailers(body.strip("\n")[:MOST_CHARACTERS_READ]).split("\n"), ""]:
        fenced = fenced != bool(FENCE.match(line))
        item = ITEM.match(line)
        no_prose = fenced or bool(FENCE.match(line)) or _is_no_prose(line, bool(paragraph))
        if not line.strip() or item or no_prose:
            found += _sentences(" ".join(paragraph))
            paragraph = []
        if not no_prose and line.strip():
            paragraph.append(line[item.end() :] if item else line.strip())
    return found


def _without_trailers(body: str) -> str:
    before, _, last = body.rstrip().rpartition("\n\n")
    lines = last.split("\n")
    ends = len(lines) > 1 and "BREAKING" not in last and all(map(ANY_TRAILER.match, lines))
    return before if ends else body


def _is_no_prose(line: str, inside: bool) -> bool:
    text = line.strip()
    return bool(
        (CODE.match(line) and not inside)
        or TRAILER.match(text)
        or HEADING.match(text)
        or (text and len(text) <= LONGEST_REFERENCE and ONLY_REFERENCES.fullmatch(text))
    )


def _sentences(paragraph: str) -> list[Unit]:
    """The sentences of a paragraph, without those that end with a colon: they only introduce others."""
    text, found, begin = one_line(paragraph), list[Unit](), 0
    for match in END.finditer(text):
        sentence = text[begin : match.end()].rstrip()
        if not ABBREVIATED.search(sentence[-12:]):
            found.append(sentence)
            begin = match.end()
    found.append(text[begin:])
    return [one for one in found if one and not one.endswith((":", "："))]


def fitting_sentences(sentences: Sequence[Unit], most: int) -> str:
    """The first sentences that together have at most `most` characters; "" if none fits."""
    begin = next((at for at, sentence in enumerate(sentences) if len(sentence) <= most), None)
    if begin is None:
        return ""
    text = sentences[begin]
    for sentence in sentences[begin + 1 :]:
        joined = f"{_ended(text)} {sentence}"
        if len(joined) > most:
            break
        text = joined
    return text


def _ended(text: str) -> str:
    """The text with a semicolon if it has no end mark, so that it does not run into the next sentence."""
    return text if text.endswith((".", "!", "?", "…", "。", "！", "？", ";", '"', ")", "”")) else f"{text};"


def first_that_fits(candidates: Iterable[str], most: int) -> str | None:
    """The first non-empty text of at most `most` characters."""
    return next((text for text in candidates if text and len(text) <= most), None)


def shortened(text: str, most: int) -> str | None:
    """The text; if it is too long, its first words and an ellipsis; None if not even one word fits."""
    if len(text) <= most:
        return text
    words = text[: most - len(MORE) + 1]
    kept = words.rpartition(" ")[0]
    if not kept and words[-1] > "\u2e80":  # A script without spaces: cut after the last comma, else anywhere.
        end = max(words[:-1].rfind(mark) for mark in "、。，；：！？") + 1
        kept = words[: end or -1]
    kept = kept.rstrip(" ,;:-–、，；：")
    return kept + MORE if kept else None
