"""The product's api with everything but the store and the doorbell: what a submit costs without them."""

from __future__ import annotations

from api import __main__ as api
from api.group_commit import Submitter
from jobs.submission import Submission, Submitted
from signals.doorbell import Ringer


async def submit(_: Submitter, submission: Submission) -> Submitted:
    """Accept it, and keep nothing."""
    return Submitted(submission.id)


def ring(*_: object) -> None:
    """Nobody is woken."""


if __name__ == "__main__":
    Submitter.submit = submit  # type: ignore[method-assign]
    Ringer.ring = ring  # type: ignore[method-assign]
    raise SystemExit(api.main())
