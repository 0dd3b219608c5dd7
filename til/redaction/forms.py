"""Forms: patterns of a name and its value, and their building blocks. RE2 searches many in one pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import re2
from detect_secrets.plugins.keyword import DENYLIST

from til.redaction.judge import LONGEST, kind_of, likely
from til.redaction.rules import Span, searchable

Judge = Callable[[str, str, bool], bool]
"""(name in lower case, value, whether it is in quotes) -> whether the value is a secret."""

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
"""Names of secrets: those of detect-secrets and a few of ours. Of suffixes only `SUFFIX` may follow:
`secret_name` and `password_hash` are no secrets."""
SUFFIX = (
    "(?:[._-]?(?:access[_-]?key|key[_-]?base|key|token|value|string|text|base64|b64"
    "|production|prod|development|dev|staging|live|default|old|new|[0-9]{1,2}))?"
)
NAME = f"(?i:((?:{'|'.join(NAMES)}){SUFFIX}))"
START, REST = r"""[^\s"'`,;(){}<>\[\]\\$*!|&""", r"""[^\s"'`,;(){}<>\[\]\\]{5,}"""
"""A value without quotes: its first character (an open class, which users extend), and the rest of it."""
BARE = rf"""({START}]{REST})(?:[\s,;"'`]|$)"""
LITERAL = r"""\\?("[^"\s\\]{6,}\\?"|'[^'\s\\]{6,}\\?'|`[^`\s\\]{6,}`)"""
"""A value with its quotes, which may be escaped. One group with the quotes is cheaper than three without."""
QUOTED = rf"(?:@|[A-Za-z]{{1,2}})?{LITERAL}"
EITHER = rf"(?:{LITERAL}|{BARE})"
END = r"[ \t]*\r?\n[+-]?[ \t]*"
"""The end of a line, and the next line's diff mark and indentation."""

QUOTES = ('"', "'", "`", ">", "[")
NEAR = 60
"""So many characters in front of a match are searched for `before` and `needs`."""


class Form(NamedTuple):
    """`pattern` matches what follows a name, or has NAME as its first group; its other groups are the value.

    There is no secret where `needs` is not found in front of the match. Where `before` is found there, or is
    None, `judge` decides, elsewhere `otherwise` (None: no secret). Without NAME, the value's name is `name`.
    """

    pattern: str
    judge: Judge = likely
    before: re.Pattern[str] | None = None
    otherwise: Judge | None = None
    needs: re.Pattern[str] | None = None
    name: str = "password"


class Found(NamedTuple):
    """A match of a form. `at`: where the match begins; `start` and `end`: of its value."""

    form: Form
    name: str
    at: int
    start: int
    end: int


class Forms:
    """Several forms as one pattern. `head` is a pattern that precedes each of them, such as NAME."""

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
    """Whether the form's judge takes the value for a secret."""
    form, name, at, start, end = found
    judge: Judge | None = form.judge
    front = text[max(0, at - NEAR) : at] if form.before or form.needs else ""
    if form.before and not form.before.search(front):
        judge = form.otherwise
    if form.needs and not form.needs.search(front):
        return False
    quoted = text[start - 1 : start] in QUOTES
    return judge is not None and judge(name, text[start:end][:LONGEST], quoted)
