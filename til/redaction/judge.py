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
    r"""|^(?:arn|vault|op|ssm|env|secret|file|data|projects|sha\d+|md5)[:/-]|^(?:id|type|name|src|source|from)=|^\d+(?::\d+)?/(?:tcp|udp|sctp)$|^ENC\[|\(\?[:=!P<]"""
    r"""|^[\w./@-]+\.(?:json|ya?ml|toml|ini|txt|md|py|[jt]sx?|html?|css|xml|sh|conf|properties|java|go|rb|php|sql"""
    r"""|pem|key|crt|env|lock|svg|png)$|^(?:ctrl|cmd|alt|shift|meta)[+-]"""
)
"""An expression, a template, a path, a file, a URL, a version, a digest: it points at a secret or is none."""
PLACEHOLDER = re.compile(
    r"(?i)(?:^|[^a-z])(?:your|example|sample|placeholder|change[-_ ]?(?:me|this|it)|dummy|fake|mock|fixme"
    r"|todo|replace|insert|redacted|required|nullable)(?:$|[^a-z])|(?:^|[^a-z0-9])x{3,}(?:$|[^a-z0-9])|x{6}|[*]{6}|[.]{6}|#{6}|_{6}|-{6}"
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
_PASSPHRASE = re.compile(
    r"(?i)[a-z]+@\d{2,4}|(?!.*(?:pass|word|token|secret|key|reset|input|field|user|auth|log|sign|form|label|page))"
    r"(?:[a-z]{3,9}-){3,}[a-z]{3,9}"
)
"""Words and digits that are no name all the same: `admin@123`, four words of which none is a program's."""
_ALNUM = re.compile("[A-Za-z0-9]")
_TEMPLATE = re.compile(r"[<{%$].*[>})%]$|%\w$")
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
    if not quoted and ("||" in value or "&&" in value or "??" in value):
        return True
    return REFERENCE.search(value) is not None


def gives_away(name: str, value: str, quoted: bool) -> bool:
    """Whether the value of what has this name is a secret. `quoted`: it stands as a text in a program."""
    if not worth_hiding(value) or _is_reference(value, quoted):
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
    return digits > 0 or STRANGE.match(value) is not None


def strange(name: str, value: str, quoted: bool) -> bool:
    """As `gives_away`, where a mere word is likelier than a secret."""
    return WORDS.fullmatch(value) is None and gives_away(name, value, quoted)


def no_word(name: str, value: str, quoted: bool) -> bool:
    """As `gives_away`, where a text of letters alone is none."""
    return not value.isalpha() and gives_away(name, value, quoted)


def by_place(name: str, value: str, quoted: bool) -> bool:
    """As `no_word`, where a number is likelier a port or an id."""
    return re.search("[A-Za-z]", value) is not None and no_word(name, value, quoted)


def spoken(name: str, value: str, quoted: bool) -> bool:
    """As `strange`, in a sentence: of a password only, and one of three sorts of characters."""
    sorts = sum(re.search(sort, value) is not None for sort in ("[a-z]", "[A-Z]", "[0-9]", r"[^\w]"))
    mixed = len(value) >= 8 and sorts >= 3
    return kind_of(name) == "password" and (quoted or mixed) and strange(name, value, quoted)


def worth_hiding(value: str) -> bool:
    """Neither a placeholder nor a word that stands in every tutorial."""
    value = value[:LONGEST]
    if not value.isascii() or _ALNUM.search(value) is None:
        return False
    if PLACEHOLDER.search(value) or KNOWN.fullmatch(value):
        return False
    return _TEMPLATE.match(value) is None
