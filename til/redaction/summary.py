"""The list of redactions that a job shows, bounded whatever the number of files. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

MOST = 100
"""The number of single entries; the others are summed up by kind."""


def summed(redactions: Sequence[dict[str, Any]], most: int = MOST) -> list[dict[str, Any]]:
    """The first `most` entries (`kind`, `filepath`, `count`), then one a kind for all the others.

    An entry of a sum has the `filepath` None and the number of summed entries in `entries`. Idempotent.
    """
    kept = list(redactions[:most])
    counts: defaultdict[str, int] = defaultdict(int)
    entries: defaultdict[str, int] = defaultdict(int)
    for one in redactions[most:]:
        counts[one["kind"]] += one["count"]
        entries[one["kind"]] += one.get("entries", 1)
    rest = [
        {"kind": kind, "filepath": None, "count": count, "entries": entries[kind]}
        for kind, count in counts.items()
    ]
    return kept + rest
