"""Rules for many vendors' tokens, from Betterleaks (secret_rules.json; MIT, see secret_rules.LICENSE)."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path

from til.redaction.rules import Rule, real

FILE = Path(__file__).with_name("secret_rules.json")
LEAST_ENTROPY = 3.0
"""Bits a character, Shannon's entropy: the usual threshold of scanners. Names and placeholders have less."""


def varied(token: str) -> bool:
    """Whether its characters have the entropy of a random token."""
    size = len(token)
    entropy = -sum(n / size * math.log2(n / size) for n in Counter(token).values())
    return entropy >= LEAST_ENTROPY and real(token)


def _kind(name: str) -> str:
    return re.sub(r"\W", "_", re.sub(r"\.\d+$", "", name))


VENDORED_RULES = tuple(
    Rule(_kind(name), pattern, varied) for name, pattern in json.loads(FILE.read_text()).items()
)
