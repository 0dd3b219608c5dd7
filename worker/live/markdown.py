"""The markdown of a post while its JSON is being written: each character is read once, none is unsaid."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator

from til.languages import WORDS
from til.markdown import (
    BETWEEN_KEYWORDS,
    BULLET,
    TITLE,
    WORD_CHARACTERS,
    escape_marks,
    escape_start,
    heading,
    support,
    under_title,
    visible,
)
from til.post import SECTIONS
from til.request import TilRequest
from worker.engines.reasoning import JsonStart
from worker.live.json_scanner import JsonPieces, NotJson, Piece

BLANKS = re.compile(r"  +")
Grammar = Generator[None, Piece, None]


class LiveMarkdown:
    """Reads the JSON of a draft as it is written and tells its markdown.

    All that `feed` returns for a whole draft is `render(draft, request, note).content`, and what it has
    returned at any time is a prefix of that. What stands before the draft is passed over. From where the
    text is no draft, or has its keys in another order, it adds nothing more.
    """

    def __init__(self, request: TilRequest, note: str | None) -> None:
        self._headings = WORDS[request.language].headings
        self._under_title = under_title(request, note)
        self._start, self._json = JsonStart(), JsonPieces()
        self._said: list[str] = []
        self._held = ""
        self._grammar: Grammar | None = self._post()
        next(self._grammar)

    def feed(self, json_delta: str) -> str:
        """The markdown that these characters add."""
        if self._grammar is None:
            return ""
        try:
            for piece in self._json.of(self._start.feed(json_delta)):
                self._grammar.send(piece)
        except (NotJson, StopIteration):
            self._grammar = None
        said, self._said = "".join(self._said), []
        return said

    def _say(self, text: str) -> None:
        """Blanks at the end wait for what follows: where the post ends they fall away."""
        if text:
            whole = self._held + text
            said = whole.rstrip()
            self._said.append(said)
            self._held = whole[len(said) :]

    def _hold(self, text: str) -> None:
        """To be said with the next words, so that it never stands there without them."""
        self._held += text

    def _post(self) -> Grammar:
        yield from _expect("{")
        yield from _key("title")
        self._hold(TITLE)
        yield from self._line((yield))
        self._hold(self._under_title)
        yield from _expect(",")
        yield from _key("keywords")
        yield from _list(self._keyword)
        for name, words in zip(SECTIONS, self._headings, strict=True):
            yield from _expect(",")
            yield from _key(name)
            self._hold(heading(words))
            yield from _list(self._point)
        yield from _expect("}")
        self._said.append(self._held.rstrip() + "\n")

    def _keyword(self, piece: Piece, first: bool) -> Grammar:
        if not first:
            self._hold(BETWEEN_KEYWORDS)
        yield from self._line(piece)

    def _point(self, piece: Piece, _: bool) -> Grammar:
        _must_be("{", piece)
        yield from _key("text")
        self._hold(BULLET)
        yield from self._line((yield))
        yield from _expect(",")
        yield from _key("sources")
        sources: list[str] = []

        def source(piece: Piece, _: bool) -> Grammar:
            sources.append((yield from _string(piece)))

        yield from _list(source)
        self._say(support(sources))
        yield from _expect("}")

    def _line(self, piece: Piece) -> Grammar:
        _must_be('"', piece)
        line = Line()
        while (piece := (yield))[0] == "text":
            self._say(line.feed(piece[1]))
        self._say(line.close())


class Line:
    """`til.markdown.escape` for a text in parts: what is returned adds up to `escape(text)`.

    Whether a word of ASCII is an address, and whether a blank is inside the line, is known by what follows.
    """

    def __init__(self) -> None:
        self._begun = False
        self._open = ""

    def feed(self, part: str) -> str:
        """What is certain now."""
        line = BLANKS.sub(" ", self._open + visible(part))
        if not self._begun:
            line = line.lstrip(" ")
        certain = line.rstrip(WORD_CHARACTERS).rstrip(" ")
        self._open = line[len(certain) :]
        return self._escaped(certain)

    def close(self) -> str:
        """The rest, now that nothing follows."""
        return self._escaped(self._open.rstrip(" "))

    def _escaped(self, certain: str) -> str:
        if not certain:
            return ""
        escaped = escape_marks(certain)
        if self._begun:
            return escaped
        self._begun = True
        return escape_start(escaped)


def _must_be(mark: str, piece: Piece) -> None:
    if piece[0] != mark:
        raise NotJson


def _expect(mark: str) -> Grammar:
    _must_be(mark, (yield))


def _string(piece: Piece) -> Generator[None, Piece, str]:
    _must_be('"', piece)
    parts = []
    while (piece := (yield))[0] == "text":
        parts.append(piece[1])
    return "".join(parts)


def _key(name: str) -> Grammar:
    if (yield from _string((yield))) != name:
        raise NotJson
    yield from _expect(":")


def _list(item: Callable[[Piece, bool], Grammar]) -> Grammar:
    """`item` reads one value; it is given the value's first piece, and whether it is the first value."""
    yield from _expect("[")
    piece = yield
    if piece[0] != "]":
        yield from item(piece, True)
        while (piece := (yield))[0] == ",":
            yield from item((yield), False)
        _must_be("]", piece)
