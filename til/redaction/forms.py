"""Forms in which a value stands with its name, and their pieces. RE2 looks for many of them at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import re2
from detect_secrets.plugins.keyword import DENYLIST

from til.redaction.judge import LONGEST, gives_away, kind_of
from til.redaction.rules import Span, searchable

Judge = Callable[[str, str, bool], bool]
"""Whether what has this name, in small letters, and this value is a secret; the last: it stands in quotes."""

NAMES = [
    *(name.replace("_?", "[_-]?") for name in DENYLIST),
    "access[_-]?key",
    "passphrase|passcode|pass[_-]word",
    "token",
    r"(?:\b|_|db|store|key|user|root|ssh|smtp|mail|sudo|auth|become|require|admin|default|http)[_-]?pass",
    r"(?:\b|_|bind|root)pw|\bw?psk|authtok|rediscli_auth",
    "(?:encryption|signing|master|session|hmac|app|storage|(?:pre[_-]?)?shared|logged_in|nonce)[_-]?key",
    "(?:auth|logged_in|nonce)_salt|jwt[:._-]{1,2}key",
]
"""detect-secrets' and a few of ours. Only what follows here may come after such a name: `secret_name` and
`password_hash` hold no secret."""
SUFFIX = (
    "(?:[._-]?(?:access[_-]?key|key[_-]?base|key|token|value|string|text|base64|b64"
    "|production|prod|development|dev|staging|live|default|old|new|[0-9]{1,2}))?"
)
NAME = f"(?i:((?:{'|'.join(NAMES)}){SUFFIX}))"
START, REST = r"""[^\s"'`,;(){}<>\[\]\\$*!|&""", r"""[^\s"'`,;(){}<>\[\]\\]{5,}"""
"""A value without quotes: what it begins with (an open class of characters), and the rest of it."""
BARE = rf"""({START}]{REST})(?:[\s,;"'`]|$)"""
LITERAL = r"""\\?("[^"\s\\]{6,}\\?"|'[^'\s\\]{6,}\\?'|`[^`\s\\]{6,}`)"""
"""A value with its quotes, of which the last may be escaped: one group is cheaper than three without."""
QUOTED = rf"(?:@|[A-Za-z]{{1,2}})?{LITERAL}"
EITHER = rf"(?:{LITERAL}|{BARE})"
END = r"[ \t]*\r?\n[+-]?[ \t]*"
"""A line's end, and the next one's mark in a diff and its indentation."""

QUOTES = ('"', "'", "`", ">", "[")
NEAR = 60
"""Characters before a name that may tell what it is."""


class Form(NamedTuple):
    """`pattern` begins behind a name, or has NAME as its first group; its other groups are the value.

    `judge` decides where `before` is found in front of the match (or there is no such pattern), else
    `otherwise`; without `needs` in front of it, nothing is a secret.
    Without a name, a value is judged as `name`'s.
    """

    pattern: str
    judge: Judge = gives_away
    before: re.Pattern[str] | None = None
    otherwise: Judge | None = None
    needs: re.Pattern[str] | None = None
    name: str = "password"


class Found(NamedTuple):
    """A candidate: what a form has matched."""

    form: Form
    name: str
    at: int
    start: int
    end: int


class Forms:
    """Some forms as one pattern. `head` is what each of them begins with."""

    def __init__(self, forms: Sequence[Form], head: str = "") -> None:
        self.pattern = f"{head}(?:{'|'.join(form.pattern for form in forms)})"
        options = re2.Options()
        options.max_mem = 16 << 20
        self._compiled: Any = re2.compile(self.pattern, options)
        heads = re2.compile(head).groups
        self._owners: list[tuple[Form, int]] = [(forms[0], 0)] * (heads + 1)
        for form in forms:
            named = len(self._owners) if NAME in form.pattern else heads
            self._owners += [(form, named)] * re2.compile(form.pattern).groups

    def candidates(self, text: str) -> Iterator[Found]:
        """Every match, in order and without overlap."""
        for match in self._compiled.finditer(searchable(text)):
            value = match.lastindex
            form, named = self._owners[value]
            name = text[slice(*match.span(named))].lower() if named else form.name
            yield Found(form, name, match.start(), *_within_quotes(text, *match.span(value)))

    def spans(self, text: str) -> Iterator[Span]:
        """The candidates that are secrets."""
        for found in self.candidates(text):
            if is_secret(text, found):
                yield found.start, found.end, kind_of(found.name)


def _within_quotes(text: str, start: int, end: int) -> tuple[int, int]:
    if text[start] not in "\"'`" or text[start] != text[end - 1]:
        return start, end
    return start + 1, end - (2 if text[end - 2] == "\\" else 1)


def is_secret(text: str, found: Found) -> bool:
    """Whether the form's judge says so."""
    form, name, at, start, end = found
    judge: Judge | None = form.judge
    front = text[max(0, at - NEAR) : at] if form.before or form.needs else ""
    if form.before and not form.before.search(front):
        judge = form.otherwise
    if form.needs and not form.needs.search(front):
        return False
    quoted = text[start - 1 : start] in QUOTES
    return judge is not None and judge(name, text[start:end][:LONGEST], quoted)
