"""Values that their name gives away: `password = "..."`. The names are detect-secrets' and a few of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2
from detect_secrets.filters.heuristic import is_potential_uuid, is_sequential_string
from detect_secrets.plugins.keyword import DENYLIST

NAMES = [*(name.replace("_?", "[_-]?") for name in DENYLIST), "access[_-]?key", "passphrase", "token"]
"""Only what follows here may come after such a name: `secret_name` and `password_hash` hold no secret."""
SUFFIX = (
    "(?:[_-]?(?:access[_-]?key|key[_-]?base|key|token|value|string|text|base64|b64"
    "|production|prod|development|dev|staging|live|default|old|new|[0-9]{1,2}))?"
)
NAME = f"(?i:((?:{'|'.join(NAMES)}){SUFFIX}))"
CLOSING = r"[\\\]\"'`)]{0,3}"
SIGN = r"[ \t]*[:=!>]{1,3}[ \t]*"
"""`=`, `:`, `:=`, `=>`, `==`, `!=`."""
TYPE = r"(?:[ \t]*:[ \t]*&?[A-Za-z][\w.\[\]<>|? ]{0,40})?"
"""As in `password: str = `."""
QUOTED = r"""(?:@|[A-Za-z]{1,2})?\\?(?:"([^"\s\\]{6,})\\?"|'([^'\s\\]{6,})\\?'|`([^`\s\\]{6,})`)"""
INLINE = r"""=([^\s"'`,;&(){}<>\[\]\\$*!|][^\s"'`,;&(){}<>\[\]\\]{5,})\\?["'`;&]"""
"""Inside a connection string or a query."""
BARE = r"""([^\s"'`,;(){}<>\[\]\\$*!|&][^\s"'`,;(){}<>\[\]\\]{5,})(?:[\s,;"'`]|$)"""
ELEMENT = r">([^<\s]{6,})</"
NAMED = rf"{NAME}(?:{CLOSING}{TYPE}{SIGN}{QUOTED}|{INLINE}|{CLOSING}{SIGN}{BARE}|{ELEMENT})"
"""Groups: the name, then the value in double quotes, in single ones, in backticks, inline, bare, in XML."""

_candidates = re2.compile(NAMED)
_UNQUOTED = (5, 6)
_BARE = 6
_LONGEST = 200
"""Characters of a value that are judged. What judges it is RE2, too: over 200 characters a pattern that goes
back takes a millisecond, and a text has thousands of values."""

WORDS = re2.compile(r"[./~#]*[A-Za-z]*\d{0,2}(?:[._/:\\|@ -](?:[A-Za-z]*\d{0,2}|\d{1,4}))*")
"""Words and small numbers: the name or the path of something (`my-app-v2`, `config.password`)."""
REFERENCE = re2.compile(
    r"""(?i)[{}<>]|[\w\]]\(|\w\[|^\[|^\$|^%\(?\w+[)%]|(?-i:^[~.]{0,2}/[a-z0-9._/-]+$)|://"""
    r"""|^[\^~=v]*\d+(?:\.\d+)+[\w.+-]*$|^[\w.-]+(?:/[\w.-]+)+#[\w-]+$"""
    r"""|^(?:arn|vault|op|ssm|env|secret|file|data|projects|sha\d+|md5)[:/-]|^ENC\["""
)
"""An expression, a template, a path, a URL, a version, a digest: it points at a secret or is none."""
PLACEHOLDER = re2.compile(
    r"(?i)(?:^|[^a-z])(?:your|example|sample|placeholder|change[-_ ]?(?:me|this|it)|dummy|fake|mock|fixme"
    r"|todo|replace|insert|redacted|required|nullable|x{3,})(?:$|[^a-z])|x{6}|[*]{6}|[.]{6}|#{6}|_{6}|-{6}"
)
KNOWN = re2.compile(
    r"(?i)(?:my|the|some|new|old|test|testing|valid|invalid|wrong|bad|good|super|default|admin|user|db|api)*[-_.]?"
    r"(?:password|passwd|passphrase|pass|pwd|secret|token|key|api[-_]?key|test|testing|admin|root|guest|user"
    r"|username|postgres|mysql|redis|rabbit|mongo|minio|string|text|hidden|optional|disabled|enabled|default"
    r"|undefined|none|null|true|false|boolean|number|object|function|localhost|foo|bar|foobar|baz|value|header)"
    r"(?:[-_.]?\d{0,3})"
)
"""Words that everyone knows are no secrets: fields' names and types, the passwords of tutorials."""
IDENTIFIER = re2.compile(r"(?i:[a-z]+\d?[a-z]*(?:password|secret|key|token)[a-z]*)|(?:[A-Z]+_)+[A-Z]+\d{0,2}")


STRANGE = re2.compile(r"[!@#$%^&*+=~?].*\w")
"""Letters behind a sign that no word has."""


def named_values(text: str, config: bool, words: bool = False) -> Iterator[tuple[int, int, str]]:
    """Where values stand that are secrets by their names. `config`: they need no quotes. `words`: one of
    letters alone is a translation, as in `"password": "wachtwoord"`.
    """
    for match in _candidates.finditer(text):
        group = match.lastindex
        if group == _BARE and not config:
            continue
        name = match[1].lower()
        if words and match[group].isalpha():
            continue
        if _gives_away(name, match[group][:_LONGEST], quoted=group not in _UNQUOTED):
            yield *match.span(group), _kind(name)


def _kind(name: str) -> str:
    if re.search("pass|pwd|contrase", name):
        return "password"
    return "secret" if "secret" in name else "token" if "token" in name else "api_key"


def _is_reference(value: str, quoted: bool) -> bool:
    if is_sequential_string(value) or is_potential_uuid(value) or IDENTIFIER.fullmatch(value):
        return True
    expression = not quoted and re.search(r"\|\||&&|\?\?", value)
    return bool(expression or REFERENCE.search(value))


def _gives_away(name: str, value: str, quoted: bool) -> bool:
    if not worth_hiding(value) or _is_reference(value, quoted):
        return False
    digits, capitals = (sum(map(kind, value)) for kind in (str.isdigit, str.isupper))
    jumbled = len(value) >= 16 and digits > 0 and len(value) / 3 <= capitals <= len(value) * 2 / 3
    if _kind(name) == "token":
        return jumbled or (len(value) >= 16 and digits > 1 and not WORDS.fullmatch(value))
    password = _kind(name) == "password"
    if value.isalpha():
        return password and quoted and value.islower() and len(value) >= 8
    if WORDS.fullmatch(value):
        return jumbled or (password and value.isalnum())
    return digits > 0 or STRANGE.search(value) is not None


def worth_hiding(value: str) -> bool:
    """Neither a placeholder nor a word that stands in every tutorial."""
    value = value[:_LONGEST]
    if not value.isascii() or not re.search("[A-Za-z0-9]", value):
        return False
    if PLACEHOLDER.search(value) or KNOWN.fullmatch(value):
        return False
    return re.match(r"[<{%$].*[>})%]$|%\w$", value) is None
