"""The states of a job and the arrows between them; the database's trigger refuses every other arrow."""

from __future__ import annotations

from enum import StrEnum

DISABLED = "endpoint_disabled"
"""`last_error` of a delivery that was not even tried for that."""


class Status(StrEnum):
    """Where a job is. The last four are endings: exactly one per job, for ever."""

    QUEUED = "queued"
    """Durable, waits for a claim; never carries a cancel request."""
    RUNNING = "running"
    """Claimed by a live worker, `claim_no` says which claim."""
    SUCCEEDED = "succeeded"
    """Has a result."""
    FAILED = "failed"
    """Has an error that says why."""
    CANCELLED = "cancelled"
    """Ended on request; may have `partial_text`."""
    EXPIRED = "expired"
    """Was never started within its `queue_seconds`."""


ENDINGS = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.EXPIRED)

ARROWS: frozenset[tuple[str, Status | None, Status]] = frozenset(
    {
        ("submit", None, Status.QUEUED),
        ("reuse", None, Status.SUCCEEDED),
        ("claim", Status.QUEUED, Status.RUNNING),
        ("retry", Status.RUNNING, Status.QUEUED),
        ("release", Status.RUNNING, Status.QUEUED),
        ("rescue", Status.RUNNING, Status.QUEUED),
        ("succeed", Status.RUNNING, Status.SUCCEEDED),
        ("fail", Status.RUNNING, Status.FAILED),
        ("cancel", Status.QUEUED, Status.CANCELLED),
        ("cancel", Status.RUNNING, Status.CANCELLED),
        ("expire", Status.QUEUED, Status.EXPIRED),
    }
)
