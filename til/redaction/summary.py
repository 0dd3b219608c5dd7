"""What a job says of its redactions: bounded, whatever a day's paths make of it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

MOST = 100
"""Entries of their own; what follows them is summed up by kind."""


def summed(redactions: Sequence[dict[str, Any]], most: int = MOST) -> list[dict[str, Any]]:
    """The first `most` entries (`kind`, `filepath`, `count`), then one a kind for all the others.

    Such a one has no `filepath`, and says in `entries` for how many it stands. No count is lost, and doing it
    again changes nothing.
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
