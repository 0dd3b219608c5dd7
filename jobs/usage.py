"""What a job's runs have cost together, whatever came of them."""

from __future__ import annotations

from itertools import chain
from typing import Any

from sqlalchemy import BigInteger, func

from base.clock import NOW
from base.tables import Job

SPENT = ("prompt_tokens", "cached_tokens", "completion_tokens", "calls")
Usage = dict[str, Any] | None
"""What one run has spent, by the names above; None: not known."""


def with_usage(usage: Usage) -> Any:
    """The job's usage: what all of its runs have spent, this one's added, and how long this one was."""
    spent = [
        (name, func.coalesce(Job.usage[name].astext.cast(BigInteger), 0) + (usage or {}).get(name, 0))
        for name in SPENT
    ]
    run = ("run_seconds", func.round(func.extract("epoch", NOW - Job.claimed_at), 3))
    return func.jsonb_build_object(*chain.from_iterable([*spent, run]))
