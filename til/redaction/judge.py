"""Judges whether a value looks like a secret: no reference, no placeholder, no well-known word."""

from __future__ import annotations

import re

from detect_secrets.filters.heuristic import is_potential_uuid, is_sequential_string

LONGEST = 200
"""So many characters of a value are judged. A text may have thousands of values, so the patterns here are
written to match a value in one way only, without long backtracking."""

WORDS = re.compile(r"[./~#]*[A-Za-z]*\d{0,2}(?:[._/:\\|@ -](?:[A-Za-z]+\d{0,2}|\d{0,4}))*")
"""Words and small numbers: a name or a path (`my-app-v2`, `config.password`)."""
REFERENCE = re.compile(
    r"""(?i)[{}<>]|[\w\]]\(|\w\[|^\[|^\$|^%\(?\w+[)%]|(?-i:^[~.]{0,2}/[a-z0-9._/-]+$)|://"""
    r"""|^[\^~=v]*\d+\.\d[\w.+-]*$|^[\w.-]+(?:/[\w.-]+)+#[\w-]+$"""
    r"""|^(?:arn|vault|op|ssm|env|secret|file|data|projects|sha\d+|md5)[:/-]|^(?:id|type|name|src|source|from)=|^\d+(?::\d+)?/(?:tcp|udp|sctp)$|^ENC\[|\(\?[:=!P<]"""
    r"""|^[\w./@-]+\.(?:json|ya?ml|toml|ini|txt|md|py|[jt]sx?|html?|css|xml|sh|conf|properties|java|go|rb|php|sql"""
    r"""|pem|key|crt|env|lock|svg|png)$|^(?:ctrl|cmd|alt|shift|meta)[+-]"""
)
"""An expression, template, path, file, URL, version or digest: it refers to a secret, or is none."""
PLACEHOLDER = re.compile(
    r"(?i)(?:^|[^a-z])(?:your|example|sample|placeholder|change[-_ ]?(?:me|this|it)|dummy|fake|mock|fixme"
    r"|todo|replace|insert|redacted|required|nullable)(?:$|[^a-z])|(?:^|[^a-z0-9])x{3,}(?:$|[^a-z0-9])|x{6}|[*]{6}|[.]{6}|#{6}|_{6}|-{6}"
)
COMMON = re.compile(
    r"(?i)(?:my|your|the|some|new|old|test|testing|valid|invalid|wrong|bad|good|super|default|admin|user|db|api)"
    r"{0,4}[-_.]?"
    r"(?:password|passwd|passphrase|pass|pwd|secret|token|key|api[-_]?key|test|testing|admin|root|guest|user"
    r"|username|postgres|mysql|redis|rabbit|mongo|minio|string|text|hidden|optional|disabled|enabled|default"
    r"|undefined|none|null|true|false|boolean|number|object|function|localhost|foo|bar|foobar|baz|value|header)"
    r"(?:[-_.]?\d{0,3})"
)
"""Words that are no secrets: names and types of fields, passwords in tutorials."""
IDENTIFIER = re.compile(
    r"(?i:(?=.+(?:password|secret|key|token))[a-z]+(?:\d[a-z]*)?)|(?:[A-Z]+_)+[A-Z]+\d{0,2}"
)
SYMBOL = re.compile(r"[^!@#$%^&*+=~?]*[!@#$%^&*+=~?].*\w")
"""A symbol that no word has, with letters after it."""
_PASSPHRASE = re.compile(
    r"(?i)[a-z]+@\d{2,4}|(?!.*(?:pass|word|token|secret|key|reset|input|field|user|auth|log|sign|form|label|page))"
    r"(?:[a-z]{3,9}-){3,}[a-z]{3,9}"
)
"""Words that make a password: `admin@123`, or four words none of which is usual in names of programs."""
_ALNUM = re.compile("[A-Za-z0-9]")
_TEMPLATE = re.compile(r"[<{%$].*[>})%]$|%\w$")
_PASSWORD = re.compile("pass|pwd|pw$|psk|authtok|cli_auth|contrase")
_LONG_KEY = re.compile(
    "(?:encryption|signing|master|session|hmac|app|storage|shared|logged_?in|nonce)[_-]?(?:key|salt)"
)
"""Names whose secrets are long; short values of theirs are something else: `session_key = "user_1"`."""


def kind_of(name: str) -> str:
    """The kind that is reported for a secret with this name (in lower case)."""
    if _PASSWORD.search(name):
        return "password"
    return "secret" if "secret" in name else "token" if "token" in name else "api_key"


def _is_reference(value: str, quoted: bool) -> bool:
    if is_sequential_string(value) or is_potential_uuid(value) or IDENTIFIER.fullmatch(value):
        return True
    if not quoted and ("||" in value or "&&" in value or "??" in value):
        return True
    return REFERENCE.search(value) is not None


def likely(name: str, value: str, quoted: bool) -> bool:
    """Whether the value of this name is likely a secret. `quoted`: it is a string literal."""
    if not could_be_secret(value) or _is_reference(value, quoted):
        return False
    kind = kind_of(name)
    digits = sum(map(str.isdigit, value))
    jumbled = len(value) >= 16 and digits > 0 and 1 / 3 <= sum(map(str.isupper, value)) / len(value) <= 2 / 3
    if kind == "token" or _LONG_KEY.search(name):
        return jumbled or (len(value) >= 16 and digits > 1 and not WORDS.fullmatch(value))
    password = kind == "password"
    if value.isalpha():
        return password and quoted and value.islower() and len(value) >= 8
    if WORDS.fullmatch(value):
        return jumbled or (password and (value.isalnum() or _PASSPHRASE.fullmatch(value) is not None))
    return digits > 0 or SYMBOL.match(value) is not None


def not_words(name: str, value: str, quoted: bool) -> bool:
    """As `likely`, but never for words and small numbers (`WORDS`)."""
    return WORDS.fullmatch(value) is None and likely(name, value, quoted)


def not_letters(name: str, value: str, quoted: bool) -> bool:
    """As `likely`, but never for letters alone."""
    return not value.isalpha() and likely(name, value, quoted)


def as_argument(name: str, value: str, quoted: bool) -> bool:
    """As `not_letters`, but never for a number: as an argument it is rather a port or an id."""
    return re.search("[A-Za-z]", value) is not None and not_letters(name, value, quoted)


def in_prose(name: str, value: str, quoted: bool) -> bool:
    """As `not_words`, for prose: passwords only, in quotes or with three classes of characters."""
    classes = sum(re.search(one, value) is not None for one in ("[a-z]", "[A-Z]", "[0-9]", r"[^\w]"))
    mixed = len(value) >= 8 and classes >= 3
    return kind_of(name) == "password" and (quoted or mixed) and not_words(name, value, quoted)


def could_be_secret(value: str) -> bool:
    """Whether the value is ASCII with letters or digits, no placeholder and no well-known word."""
    value = value[:LONGEST]
    if not value.isascii() or _ALNUM.search(value) is None:
        return False
    if PLACEHOLDER.search(value) or COMMON.fullmatch(value):
        return False
    return _TEMPLATE.match(value) is None
