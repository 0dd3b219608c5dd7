"""Records delivery attempts, a batch in one statement, and what happens to their deliveries next."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from prometheus_client import Counter, Histogram
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from webhooks.claim import ClaimedDelivery
from webhooks.retry_schedule import Ended, NextAttempt
from webhooks.sender import CRASHED, Attempt

DELIVERIES = Counter("til_webhook_deliveries_total", "Webhook attempts by outcome.", ["outcome"])
for outcome in ("delivered", "refused", "error"):
    DELIVERIES.labels(outcome)  # They begin at 0, or the first of each would be no increase.
DELAY = Histogram("til_webhook_delay_seconds", "From the event to the first POST of its webhook.")

RECORD = text("""
WITH attempts AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v (
        id uuid, lease_no integer, number integer, status integer, error text, milliseconds integer,
        answer text, state text, after_seconds float8)
), updated AS (
    UPDATE deliveries AS d SET
        attempts = v.number, last_status = v.status, last_error = v.error, state = v.state, phase = 'later',
        next_attempt_at = clock_timestamp() + make_interval(secs => v.after_seconds),
        finished_at = CASE WHEN v.after_seconds IS NULL THEN clock_timestamp() END
    FROM attempts AS v
    WHERE d.id = v.id AND d.lease_no = v.lease_no AND d.attempts = v.number - 1 AND d.state = 'pending'
    RETURNING d.id
)
INSERT INTO delivery_attempts (delivery_id, number, status, error, milliseconds, answer)
SELECT v.id, v.number, v.status, v.error, v.milliseconds, v.answer FROM attempts AS v JOIN updated USING (id)
RETURNING delivery_id
""")


@dataclass(frozen=True)
class RecordedAttempt:
    """An attempt, and the decision about its delivery."""

    claimed: ClaimedDelivery
    attempt: Attempt
    decision: NextAttempt | Ended

    def without_response(self) -> RecordedAttempt:
        """The same as an internal error, without anything from the receiver."""
        return replace(self, attempt=Attempt(self.attempt.milliseconds, error=CRASHED))

    def row(self) -> dict[str, Any]:
        """Its row for `RECORD`."""
        match self.decision:
            case NextAttempt(after):
                next_state: dict[str, Any] = {"state": "pending", "after_seconds": after}
            case Ended(state):
                next_state = {"state": state, "after_seconds": None}
        return {
            "id": str(self.claimed.delivery.id),
            "lease_no": self.claimed.delivery.lease_no,
            "number": self.claimed.delivery.attempts + 1,
            "status": self.attempt.status,
            "error": self.attempt.error,
            "milliseconds": self.attempt.milliseconds,
            "answer": self.attempt.answer,
            **next_state,
        }


async def record(session: AsyncSession, recorded: Sequence[RecordedAttempt]) -> set[uuid.UUID]:
    """Write these attempts and update their deliveries. Returns the deliveries' ids; left out are those that
    have been leased again meanwhile."""
    rows = json.dumps([one.row() for one in recorded])
    return set((await session.scalars(RECORD, {"rows": rows})).all())


def observe(claimed: ClaimedDelivery, attempt: Attempt) -> None:
    """Count the attempt in the metrics; a first one also gives the delay since its event."""
    DELIVERIES.labels("delivered" if attempt.delivered else "refused" if attempt.status else "error").inc()
    if claimed.delivery.attempts == 0 and claimed.progress is None:
        DELAY.observe(max(0.0, claimed.late_seconds))
