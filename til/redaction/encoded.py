"""Values in manifests of Kubernetes Secrets: base64, whatever their names."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

import re2

from til.redaction.judge import kind_of, likely, not_words
from til.redaction.rules import Span, searchable

MANIFEST = r"""(?m:^)[+-]?[ \t]*"?kind"?:[ \t]*"?Secret"?,?[ \t]*\r?(?m:$)"""
_manifest = re2.compile(MANIFEST)
_entry = re2.compile(
    r"""(?m:^)[+-]?[ \t]+["']?([\w.-]+)["']?:[ \t]*["']?([A-Za-z0-9+/]{8,}={0,2})["']?,?[ \t]*\r?(?m:$)"""
)
LONGEST = 4000
OPENS = ("PRIVATE KEY", '"auth"', '"password"', '"private_key"')
"""A decoded value with one of these is a secret as a whole: a key, a docker config, a service account."""


def encoded_values(text: str) -> Iterator[Span]:
    """The spans of encoded values which, decoded, are secrets."""
    if not _manifest.search(searchable(text)):
        return
    for match in _entry.finditer(searchable(text)):
        name = text[slice(*match.span(1))].lower()
        start, end = match.span(2)
        if _is_secret(name, text[start : min(end, start + LONGEST)]):
            yield start, end, kind if (kind := kind_of(name)) != "api_key" else "secret"


def _is_secret(name: str, value: str) -> bool:
    try:
        data = base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
    if not data.isascii():
        return len(data) >= 16
    decoded = data.decode().strip()
    if any(mark in decoded for mark in OPENS):
        return True
    if "\n" in decoded or len(decoded) < 6:
        return False
    named = kind_of(name) == "password" or "key" in name or "secret" in name or "token" in name
    if named:
        return likely("password", decoded, True)
    return ("://" in decoded and "@" in decoded) or not_words("secret", decoded, True)
