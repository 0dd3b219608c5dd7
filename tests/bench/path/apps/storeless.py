"""The product's api with everything but the store and the doorbell: what a submit costs without them."""

from __future__ import annotations

from collections.abc import Sequence

from api import __main__ as api
from api import app
from api.group_commit import Submitter
from jobs.submission import Submission, Submitted
from signals.doorbell import Ringer


class Forgetful(Submitter):
    """Accepts every submission and keeps none."""

    async def submit(self, submission: Submission) -> Submitted:
        """Accept it."""
        return Submitted(submission.id)


class Silent(Ringer):
    """Wakes nobody."""

    def ring(self, model: str, job_ids: Sequence[str]) -> None:
        """Do nothing."""


if __name__ == "__main__":
    app.Submitter, app.Ringer = Forgetful, Silent  # type: ignore[attr-defined]
    raise SystemExit(api.main())
