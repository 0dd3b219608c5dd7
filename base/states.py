"""The states of a job and the transitions between them; a trigger in the database refuses any other."""

from __future__ import annotations

from enum import StrEnum

DISABLED = "endpoint_disabled"
"""`last_error` of a delivery that was not attempted because its URL is disabled."""


class Status(StrEnum):
    """The state of a job. The last four are final."""

    QUEUED = "queued"
    """Stored, waits for a worker's claim. A cancel request ends it at once, so none is pending here."""
    RUNNING = "running"
    """Claimed by a worker; `claim_no` tells this claim from earlier ones."""
    SUCCEEDED = "succeeded"
    """Has a result."""
    FAILED = "failed"
    """Has an error."""
    CANCELLED = "cancelled"
    """Ended on request; may have `partial_text`."""
    EXPIRED = "expired"
    """Was never started within its `queue_seconds`."""


ENDINGS = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.EXPIRED)

# (verb, from, to). The verbs are those of the job's history, `GET /v1/jobs/{id}/history`.
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
