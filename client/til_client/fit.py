"""Keeps a request's JSON under the API's limit of 4 MiB; the least useful text is dropped first."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

BODY_BYTES = 3_670_016  # 3.5 MiB: the API takes 4 MiB, and options and metadata are added later
HEADLINE_BYTES = 200


def encode(value: Any) -> bytes:
    """The body that is sent: compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def first_bytes(text: str, limit_bytes: int) -> str:
    """The first whole lines of the text, at most `limit_bytes` of UTF-8; a longer first line is cut."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit_bytes:
        return data.decode()
    kept = data[:limit_bytes].decode("utf-8", "ignore")
    return kept[: kept.rfind("\n") + 1] or kept


def fit(request: dict[str, Any], say: Callable[[str], None], limit_bytes: int = BODY_BYTES) -> dict[str, Any]:
    """The request, cut in place until it fits. `say` is called with a sentence about each cut.

    Dropped first is code, the largest first (the patches say more about the day), then the largest patches,
    then all but the first line of commit messages, then the files that were changed longest ago.
    """
    files = request["files"]
    patches = [patch for file in files for patch in file["patches"]]
    excess = len(encode(request)) - limit_bytes
    excess, emptied = empty_largest(files, "latest_code", excess)
    if emptied:
        say(f"The code of the {emptied} largest files was left out to fit the limit; their patches are sent.")
    excess, emptied = empty_largest(patches, "patch", excess)
    if emptied:
        say(f"The {emptied} largest patches were left out to fit the API's limit.")
    if excess > 0:
        say("Commit messages were cut to their first lines to fit the API's limit.")
        for patch in patches:
            patch["commit_message"] = first_bytes(patch["commit_message"], HEADLINE_BYTES)
        drop_oldest(request, say, limit_bytes)
    return request


def empty_largest(rows: list[dict[str, Any]], key: str, excess: int) -> tuple[int, int]:
    """Empties `key` of the largest rows until no byte is in excess. Returns (excess bytes, emptied rows)."""
    emptied = 0
    for row in sorted(rows, key=lambda row: len(row[key]), reverse=True):
        if excess <= 0 or not row[key]:
            break
        excess -= len(encode(row[key])) - len('""')
        row[key] = ""
        emptied += 1
    return excess, emptied


def drop_oldest(request: dict[str, Any], say: Callable[[str], None], limit_bytes: int) -> None:
    files = request["files"]
    excess, dropped = len(encode(request)) - limit_bytes, 0
    while excess > 0 and dropped < len(files) - 1:
        excess -= len(encode(files[dropped])) + 1
        dropped += 1
    if dropped:
        say(f"{dropped} files were left out to fit the API's limit.")
        del files[:dropped]
