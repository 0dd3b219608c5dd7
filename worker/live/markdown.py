"""The markdown of a post while the engine writes its JSON: it only grows, and no character is read twice."""

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
from worker.live.json_scanner import JsonScanner, NotJson, Token

BLANKS = re.compile(r"  +")
Parser = Generator[None, Token, None]
"""A parser of one value or mark as a coroutine: tokens are sent to it, and it ends after the last one."""


class LiveMarkdown:
    """Turns the JSON of a draft into markdown as it arrives.

    What `feed` returns adds up to `render(draft, request, note).content`, and is at any time a prefix of it.
    Text before the JSON is skipped. Where the JSON turns out not to be a draft, or to have its keys in
    another order, it returns no more.
    """

    def __init__(self, request: TilRequest, note: str | None) -> None:
        self._headings = WORDS[request.language].headings
        self._under_title = under_title(request, note)
        self._start, self._scanner = JsonStart(), JsonScanner()
        self._output: list[str] = []
        self._deferred = ""
        self._parser: Parser | None = self._post()
        next(self._parser)

    def feed(self, json_delta: str) -> str:
        """The markdown that these characters add."""
        if self._parser is None:
            return ""
        try:
            for token in self._scanner.feed(self._start.feed(json_delta)):
                self._parser.send(token)
        except (NotJson, StopIteration):
            self._parser = None
        output, self._output = "".join(self._output), []
        return output

    def _emit(self, text: str) -> None:
        """Output the text. Whitespace at its end is deferred: at the end of the post it is left out."""
        if text:
            whole = self._deferred + text
            stripped = whole.rstrip()
            self._output.append(stripped)
            self._deferred = whole[len(stripped) :]

    def _defer(self, text: str) -> None:
        """Output the text together with the next one, so that no heading or bullet appears by itself."""
        self._deferred += text

    def _post(self) -> Parser:
        yield from _expect("{")
        yield from _key("title")
        self._defer(TITLE)
        yield from self._line((yield))
        self._defer(self._under_title)
        yield from _expect(",")
        yield from _key("keywords")
        yield from _list(self._keyword)
        for name, words in zip(SECTIONS, self._headings, strict=True):
            yield from _expect(",")
            yield from _key(name)
            self._defer(heading(words))
            yield from _list(self._point)
        yield from _expect("}")
        self._output.append(self._deferred.rstrip() + "\n")

    def _keyword(self, token: Token, first: bool) -> Parser:
        if not first:
            self._defer(BETWEEN_KEYWORDS)
        yield from self._line(token)

    def _point(self, token: Token, _: bool) -> Parser:
        _must_be("{", token)
        yield from _key("text")
        self._defer(BULLET)
        yield from self._line((yield))
        yield from _expect(",")
        yield from _key("sources")
        sources: list[str] = []

        def source(token: Token, _: bool) -> Parser:
            sources.append((yield from _string(token)))

        yield from _list(source)
        self._emit(support(sources))
        yield from _expect("}")

    def _line(self, token: Token) -> Parser:
        _must_be('"', token)
        escaper = LineEscaper()
        while (token := (yield))[0] == "text":
            self._emit(escaper.feed(token[1]))
        self._emit(escaper.close())


class LineEscaper:
    """`til.markdown.escape` for a text that arrives in parts: what it returns adds up to `escape(text)`.

    An ASCII word at the end is kept back until it is complete, since it may become a URL or an email address;
    so are spaces, which are dropped at the end of the line.
    """

    def __init__(self) -> None:
        self._begun = False
        self._kept = ""

    def feed(self, part: str) -> str:
        """The escaped text that no later part can change."""
        line = BLANKS.sub(" ", self._kept + visible(part))
        if not self._begun:
            line = line.lstrip(" ")
        certain = line.rstrip(WORD_CHARACTERS).rstrip(" ")
        self._kept = line[len(certain) :]
        return self._escaped(certain)

    def close(self) -> str:
        """The rest, at the end of the text."""
        return self._escaped(self._kept.rstrip(" "))

    def _escaped(self, certain: str) -> str:
        if not certain:
            return ""
        escaped = escape_marks(certain)
        if self._begun:
            return escaped
        self._begun = True
        return escape_start(escaped)


def _must_be(mark: str, token: Token) -> None:
    if token[0] != mark:
        raise NotJson


def _expect(mark: str) -> Parser:
    _must_be(mark, (yield))


def _string(token: Token) -> Generator[None, Token, str]:
    _must_be('"', token)
    parts = []
    while (token := (yield))[0] == "text":
        parts.append(token[1])
    return "".join(parts)


def _key(name: str) -> Parser:
    if (yield from _string((yield))) != name:
        raise NotJson
    yield from _expect(":")


def _list(item: Callable[[Token, bool], Parser]) -> Parser:
    """`item` makes the parser of one value from its first token and whether it is the first of the list."""
    yield from _expect("[")
    token = yield
    if token[0] != "]":
        yield from item(token, True)
        while (token := (yield))[0] == ",":
            yield from item((yield), False)
        _must_be("]", token)
