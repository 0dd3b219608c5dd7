"""About how many tokens a job takes, from its request alone: the claim compares it with an engine's room."""

from __future__ import annotations

from til.hunks import MESSAGE_CHARACTERS, reasons
from til.request import Patch, TilRequest
from til.shown import composed, shown

BYTES_PER_TOKEN = 3.0
"""Code takes 3 to 4 bytes a token in the usual vocabularies of 32k to 262k, Korean and Japanese prose 3."""
FRAME_TOKENS = 600
"""Instructions, chat template, and what stands around the data."""
CODE_TOKENS = 3000
"""Newest code that a prompt gets beside the diffs, at the most: all context costs places in the cache."""
MOST_TOKENS = 2**31 - 1


def job_tokens(request: TilRequest) -> int:
    """Prompt and answer together, in tokens. A worker corrects it once it has packed the prompt."""
    names = diffs = code = 0
    for file, reason in zip(request.files, reasons(request.files), strict=True):
        names += len(file.filepath) + 24
        if reason is None:
            diffs += sum(size(shown(p.patch)) + size(message(p)) for p in file.patches)
            code += size(shown(file.latest_code))
    known = FRAME_TOKENS + (names + diffs) / BYTES_PER_TOKEN + min(CODE_TOKENS, code / BYTES_PER_TOKEN)
    return min(MOST_TOKENS, round(known) + request.options.max_output_tokens)


def message(patch: Patch) -> str:
    """As much of a commit's message as a prompt shows."""
    return composed(patch.commit_message)[:MESSAGE_CHARACTERS]


def size(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
