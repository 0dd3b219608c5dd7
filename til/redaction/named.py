"""Values after a name of secrets: `password = "..."`, `setPassword("...")`, `X-Api-Key: ...`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from til.redaction.forms import BARE, END, LITERAL, NAME, QUOTED, REST, START, Form, Forms, Found, is_secret
from til.redaction.judge import kind_of, not_letters, not_words
from til.redaction.rules import Span

CLOSING = r"[\\\]\"'`)]{0,3}(?:\[\d*\])?"
SIGN = r"[ \t]*[:=!>]{1,3}[ \t]*"
"""`=`, `:`, `:=`, `=>`, `==`, `!=`."""
TYPE = r"(?:[ \t]*:[ \t]*&?[A-Za-z][\w.\[\]<>|? ]{0,40}|[ \t]+As[ \t]+String)?"
"""As in `password: str = `."""
MAKER = (
    r"(?:new[ \t]+)?(?:Some|Just|String|String::from|Secret\w*|SecretValue\.\w+|Secure\w*|\w*Password|str"
    r"|bytes|Value|Buffer\.from|\[\]byte)\([ \t]*"
)
"""A constructor around the value: `SecretStr("...")`."""
INLINE = r"""=([^\s"'`,;&(){}<>\[\]\\$*!|][^\s"'`,;&(){}<>\[\]\\]{5,})\\?["'`;&]"""
"""Inside a connection string or a query."""
ELEMENT = r">(?:<!\[CDATA\[)?([^<\s\]]{6,})(?:\]\]>)?</"
ATTRIBUTES = r"""(?:[ \t]+[\w:.-]+="[^"\n]*")*"""
VALUE = r"""["']?(?:android:)?(?i:(?:parameter)?value)["']?[ \t]*[:=][ \t]*"""
GETTERS = re.compile(
    r"(?i)(?:^|\W)(?!get|find|fetch|read|load|look|has|is|check|gen|create|parse|[de]n?code|[de]n?crypt|for|reset"
    r"|input|label|show|hide|toggle|del|remove|test|expect|require|valid|verify|hash|need|by|ask|prompt|query|select"
    r"|match|format|next|peek|t\b|old|assert)\w*$"
)
"""Matches a call unless its verb reads, checks or asks for something, as in `getPassword("...")`."""
SETTERS = re.compile(
    r"(?i)(?:define|env\w*|set\w*|put\w*|add\w*|append|header|option|property|default|field|\.of|fetch|fill\w*|orelse"
    r"|data)[ (]\s*[\"'`][\w.:#\[=-]*$"
)
"""Calls whose arguments are a name and its value."""
STRING = re.compile(r"[\"'`][\w.:#\[=-]*$")
STATEMENT = re.compile(
    r"(?i)(?:^|\n)[+-]?[ \t]*[\w.-]*$|#define[ \t]+\w*$|[(,:][ \t]*\w*$"
    r"|(?:setq|with|encrypted|login)[ \t]+[\w-]*$"
)
"""Where a name begins a statement: `password "..."` in Ruby, `:password "..."` in Clojure."""
CONNECTION = re.compile(r"\b(?:host|user|uid|dbname|server|port|username)=\S+ +\w*$|[\"'`][\w-]*$")
BARE_FORM = Form(rf"{CLOSING}{SIGN}{BARE}")
"""A value without quotes: in configuration files, elsewhere only in strings (`"host=db password=..."`)."""
SPACED = Form(rf"[ \t]+{QUOTED}", not_letters, before=STATEMENT, otherwise=not_words)

NAMED = Forms(
    [
        Form(rf"{CLOSING}{TYPE}{SIGN}(?:{MAKER})?{QUOTED}"),
        Form(rf"{CLOSING}{TYPE}{SIGN}\w[\w.]*\([^()\n]*?\bdefault[ \t]*=[ \t]*{QUOTED}", not_letters),
        Form(INLINE),
        Form(rf":[-=]?({START}:=?+-]{REST})\}}", before=re.compile(r"\$\{[\w.-]*$")),
        BARE_FORM,
        Form(rf"s?{CLOSING}{SIGN}(?:\[\]string\{{|\[)[ \t]*{QUOTED}", not_words),
        Form(rf"[ \t]+by[ \t]+lazy[ \t]*\{{[ \t]*{QUOTED}", not_letters),
        Form(ELEMENT),
        Form(rf"""["']{ATTRIBUTES}>([^<\s]{{6,}})</""", not_words),
        Form(rf"""["']?(?:[ \t]*,[ \t]*|{ATTRIBUTES}[ \t]+){VALUE}(?:{QUOTED}|{BARE})""", not_letters),
        Form(
            rf"[ \t]?\([ \t]*{QUOTED}[ \t]*(?:[).]|,[ \t]*(?:\w+[=:]|(?i:true|false|null|none)))",
            not_letters,
            GETTERS,
        ),
        Form(rf"\.(?:equals\w*|eql\??|compareTo|contentEquals)\([ \t]*{QUOTED}", not_letters),
        Form(
            rf"[ \t]*,[ \t]*{QUOTED}[ \t]*\)",
            not_letters,
            before=re.compile(r"str\w*cmp\([ \t]*\w*$"),
        ),
        Form(
            rf"""[\]"'`)]{{1,3}}[ \t]*,[ \t]*(?:default[ \t]*=[ \t]*|with:[ \t]*)?["']?{QUOTED}""",
            not_letters,
            before=SETTERS,
            otherwise=not_words,
            needs=STRING,
        ),
        Form(
            rf"""["'`\]]{{1,2}}\)\.(?:type|fill|send_?[kK]eys|setValue)\([ \t]*{QUOTED}""",
            not_letters,
        ),
        SPACED,
    ],
    NAME,
)
LINES = Forms(
    [
        Form(rf"""{CLOSING}[ \t]*(?:\|\||\?\?|\?:|\bor)[ \t]*{QUOTED}""", not_letters),
        Form(rf"{CLOSING}{TYPE}{SIGN}[(\\]?{END}{LITERAL}", not_letters),
        Form(rf"{CLOSING}{SIGN}[|>][+-]?\d?[+-]?{END}(?:{LITERAL}|{BARE})"),
        Form(rf"""["']?,?{END}{VALUE}(?:{LITERAL}|{BARE})""", not_letters),
        Form(
            rf"""["'`],{END}{QUOTED}""",
            not_letters,
            before=re.compile(r"\([ \t]*(?:\r?\n[+-]?[ \t]*)?[\"'`][\w.]*$"),
        ),
        Form(rf"\({END}{QUOTED}", not_letters, before=GETTERS),
        Form(rf"</(?:key|name)>(?:{END})?<(?:string|value)>([^<\s]{{6,}})</", not_letters),
        Form(rf"""["'][^<>\n]*>(?:{END})?<value>([^<\s]{{6,}})</""", not_letters),
        Form(rf"""["'][ \t]*\{{(?:{END}[^\n}}]*)*{END}default[ \t]*=[ \t]*{LITERAL}""", not_letters),
    ],
    NAME,
)
"""Forms whose match may span several lines; and defaults, as in `process.env.PASSWORD || "..."`."""


def named_values(text: str, config: bool, translation: bool = False) -> Iterator[Span]:
    """The spans of values that are secrets by their names. `config`: they need no quotes. `translation`:
    letters alone are the translation of a name, as in `"password": "wachtwoord"`.
    """
    for found in NAMED.candidates(text):
        value = text[found.start : found.end]
        if translation and value.isalpha():
            continue
        if found.form is BARE_FORM and not (config or _in_a_string(text, found)):
            continue
        if found.name == "pass" and not _is_password(found.form, value):
            continue
        if is_secret(text, found):
            yield found.start, found.end, kind_of(found.name)


def _is_password(form: Form, value: str) -> bool:
    """Whether `pass` is a password's name, not the verb as in "pass `x=1`" and "PASS: 12 of 12"."""
    return form is not SPACED and (form is not BARE_FORM or not_words("pass", value, False))


def _in_a_string(text: str, found: Found) -> bool:
    before = text[max(0, found.at - 60) : found.at]
    closed, value = text[found.end : found.end + 1], text[found.start : found.end]
    if not CONNECTION.search(before):
        return False
    if "=" in before:
        return closed in (" ", '"', "'")
    header = closed in ('"', "'", "`") and ":" in text[found.at : found.start]
    return header and not_words(found.name, value, False)
