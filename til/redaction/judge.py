"""Whether a value is a secret by its looks: no reference, no placeholder, no word of a tutorial."""

from __future__ import annotations

import re

from detect_secrets.filters.heuristic import is_potential_uuid, is_sequential_string

LONGEST = 200
"""Characters of a value that are judged. Each pattern here has one way to read a value, so none goes back for
long: a text has thousands of values."""

WORDS = re.compile(r"[./~#]*[A-Za-z]*\d{0,2}(?:[._/:\\|@ -](?:[A-Za-z]+\d{0,2}|\d{0,4}))*")
"""Words and small numbers: the name or the path of something (`my-app-v2`, `config.password`)."""
REFERENCE = re.compile(
    r"""(?i)[{}<>]|[\w\]]\(|\w\[|^\[|^\$|^%\(?\w+[)%]|(?-i:^[~.]{0,2}/[a-z0-9._/-]+$)|://"""
    r"""|^[\^~=v]*\d+\.\d[\w.+-]*$|^[\w.-]+(?:/[\w.-]+)+#[\w-]+$"""
    r"""|^(?:arn|vault|op|ssm|env|secret|file|data|projects|sha\d+|md5)[:/-]|^ENC\[|^(?:ctrl|cmd|alt|shift|meta)[+-]"""
)
"""An expression, a template, a path, a URL, a version, a digest: it points at a secret or is none."""
PLACEHOLDER = re.compile(
    r"(?i)(?:^|[^a-z])(?:your|example|sample|placeholder|change[-_ ]?(?:me|this|it)|dummy|fake|mock|fixme"
    r"|todo|replace|insert|redacted|required|nullable|x{3,})(?:$|[^a-z])|x{6}|[*]{6}|[.]{6}|#{6}|_{6}|-{6}"
)
KNOWN = re.compile(
    r"(?i)(?:my|your|the|some|new|old|test|testing|valid|invalid|wrong|bad|good|super|default|admin|user|db|api)"
    r"{0,4}[-_.]?"
    r"(?:password|passwd|passphrase|pass|pwd|secret|token|key|api[-_]?key|test|testing|admin|root|guest|user"
    r"|username|postgres|mysql|redis|rabbit|mongo|minio|string|text|hidden|optional|disabled|enabled|default"
    r"|undefined|none|null|true|false|boolean|number|object|function|localhost|foo|bar|foobar|baz|value|header)"
    r"(?:[-_.]?\d{0,3})"
)
"""Words that everyone knows are no secrets: fields' names and types, the passwords of tutorials."""
IDENTIFIER = re.compile(
    r"(?i:(?=.+(?:password|secret|key|token))[a-z]+(?:\d[a-z]*)?)|(?:[A-Z]+_)+[A-Z]+\d{0,2}"
)
STRANGE = re.compile(r"[^!@#$%^&*+=~?]*[!@#$%^&*+=~?].*\w")
"""Letters behind a sign that no word has."""
_PASSWORD = re.compile("pass|pwd|pw$|psk|authtok|cli_auth|contrase")
_LONG_KEY = re.compile(
    "(?:encryption|signing|master|session|hmac|app|storage|shared|logged_?in|nonce)[_-]?(?:key|salt)"
)
"""Names of keys that are long, and of much else that is short: `session_key = "user_1"`."""


def kind_of(name: str) -> str:
    """What is reported of a value with this name, in small letters."""
    if _PASSWORD.search(name):
        return "password"
    return "secret" if "secret" in name else "token" if "token" in name else "api_key"


def _is_reference(value: str, quoted: bool) -> bool:
    if is_sequential_string(value) or is_potential_uuid(value) or IDENTIFIER.fullmatch(value):
        return True
    expression = not quoted and re.search(r"\|\||&&|\?\?", value)
    return bool(expression or REFERENCE.search(value))


def gives_away(name: str, value: str, quoted: bool) -> bool:
    """Whether the value of what has this name is a secret. `quoted`: it stands as a text in a program."""
    if not worth_hiding(value) or _is_reference(value, quoted):
        return False
    kind = kind_of(name)
    digits, capitals = (sum(map(sort, value)) for sort in (str.isdigit, str.isupper))
    jumbled = len(value) >= 16 and digits > 0 and len(value) / 3 <= capitals <= len(value) * 2 / 3
    if kind == "token" or _LONG_KEY.search(name):
        return jumbled or (len(value) >= 16 and digits > 1 and not WORDS.fullmatch(value))
    password = kind == "password"
    if value.isalpha():
        return password and quoted and value.islower() and len(value) >= 8
    if WORDS.fullmatch(value):
        return jumbled or (password and value.isalnum())
    return digits > 0 or STRANGE.match(value) is not None


def strange(name: str, value: str, quoted: bool) -> bool:
    """As `gives_away`, where a mere word is likelier than a secret."""
    return WORDS.fullmatch(value) is None and gives_away(name, value, quoted)


def no_word(name: str, value: str, quoted: bool) -> bool:
    """As `gives_away`, where a text of letters alone is none."""
    return not value.isalpha() and gives_away(name, value, quoted)


def worth_hiding(value: str) -> bool:
    """Neither a placeholder nor a word that stands in every tutorial."""
    value = value[:LONGEST]
    if not value.isascii() or not re.search("[A-Za-z0-9]", value):
        return False
    if PLACEHOLDER.search(value) or KNOWN.fullmatch(value):
        return False
    return re.match(r"[<{%$].*[>})%]$|%\w$", value) is None
