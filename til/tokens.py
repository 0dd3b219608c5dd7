"""Estimates a job's tokens from its request alone; a claim compares them with an engine's free KV cache."""

from __future__ import annotations

from til.hunks import MESSAGE_CHARACTERS, reasons
from til.request import Patch, TilRequest
from til.shown import composed, shown

BYTES_PER_TOKEN = 3.0
"""In the usual vocabularies of 32k to 262k tokens, code has 3 to 4, Korean and Japanese prose 3."""
FIXED_TOKENS = 600
"""Instructions, chat template, and the labels around the data."""
CODE_TOKENS = 3000
"""The most tokens of current code in a prompt, beside the diffs; each of them takes space in the KV cache."""
MOST_TOKENS = 2**31 - 1


def job_tokens(request: TilRequest) -> int:
    """Tokens of prompt and answer together. A worker replaces the estimate once it has built the prompt."""
    names = diffs = code = 0
    for file, reason in zip(request.files, reasons(request.files), strict=True):
        names += len(file.filepath) + 24
        if reason is None:
            diffs += sum(size(shown(p.patch)) + size(message(p)) for p in file.patches)
            code += size(shown(file.latest_code))
    known = FIXED_TOKENS + (names + diffs) / BYTES_PER_TOKEN + min(CODE_TOKENS, code / BYTES_PER_TOKEN)
    return min(MOST_TOKENS, round(known) + request.options.max_output_tokens)


def message(patch: Patch) -> str:
    """The part of a commit message that a prompt shows."""
    return composed(patch.commit_message)[:MESSAGE_CHARACTERS]


def size(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
