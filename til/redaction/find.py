"""find: the secrets of a text and their kinds. suspicious: far cheaper, whether there may be any."""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

from til.redaction.commands import COMMANDS, FLAGS
from til.redaction.encoded import MANIFEST, encoded_values
from til.redaction.files import DIRECTIVES, QUERIES, USERS
from til.redaction.named import LINES, named_values
from til.redaction.rules import OWN_RULES, Span, mixed
from til.redaction.vendored import VENDORED_RULES

RULES = (*OWN_RULES, *VENDORED_RULES)
"""In order of precedence: where the spans of two rules overlap, the kind is that of the earlier rule."""
_options = re2.Options()
_options.max_mem = 64 << 20  # with less memory for its automaton, RE2 falls back to a slower matcher
_options.never_capture = True
TOKENS = re2.compile("|".join(f"(?:{rule.hint or rule.pattern})" for rule in RULES), _options)
OTHERS = (FLAGS, COMMANDS, DIRECTIVES, QUERIES, USERS, LINES)
OTHER = re2.compile("|".join([MANIFEST, *(forms.pattern for forms in OTHERS)]), _options)
"""Kept apart from TOKENS and from `named_values`: one pattern for all would need more states than RE2's cache
has room for, and it would build them again for each text."""
PRECEDENCE = {kind: place for place, kind in reversed(list(enumerate(rule.kind for rule in RULES)))}
NAMED_LAST = len(RULES)
NEAR = re.compile(r"(?:(?<![A-Za-z0-9/+])|(?<=^[+-]))[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])", re.MULTILINE)
NEAR_CHARACTERS = 300


def suspicious(text: str) -> bool:
    """Whether `find` might find something in the text or in any run of its lines."""
    encoded = text.encode()
    if TOKENS.search(encoded) or OTHER.search(encoded):
        return True
    return any(named_values(text, config=True))


def find(text: str, config: bool, translation: bool = False) -> list[Span]:
    """The secrets' spans, in order and without overlap. `config`: the text is of a configuration file, whose
    values need no quotes. `translation`: it is of a file of translations, where letters alone are no secret.
    """
    found = [span for rule in RULES for span in rule.spans(text)] if TOKENS.search(text) else []
    found += _beside_its_id(text, [span for span in found if span[2] == "aws_access_key"])
    found += named_values(text, config, translation)
    if OTHER.search(text):
        found += [span for forms in OTHERS for span in forms.spans(text)]
        found += encoded_values(text)
    return _merged(found)


def _beside_its_id(text: str, ids: list[Span]) -> Iterator[Span]:
    """An AWS secret key has no prefix: 40 mixed characters within `NEAR_CHARACTERS` of an access key id."""
    around = [(max(0, start - NEAR_CHARACTERS), end + NEAR_CHARACTERS, kind) for start, end, kind in ids]
    for start, end, _ in _merged(around):
        for match in NEAR.finditer(text, start, end):
            if mixed(match[0]):
                yield *match.span(), "aws_secret_key"


def _merged(found: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end, kind in sorted(found):
        if merged and start < merged[-1][1]:
            first, last, before = merged[-1]
            merged[-1] = (first, max(last, end), min(before, kind, key=_precedence))
        else:
            merged.append((start, end, kind))
    return merged


def _precedence(kind: str) -> int:
    return PRECEDENCE.get(kind, NAMED_LAST)
