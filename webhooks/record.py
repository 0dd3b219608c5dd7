"""What came of the attempts to deliver, recorded many in one statement."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from prometheus_client import Counter, Histogram
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from webhooks.claim import Due
from webhooks.retry_schedule import Again, Done
from webhooks.sender import CRASHED, Attempt

DELIVERIES = Counter("til_webhook_deliveries_total", "Webhook attempts by outcome.", ["outcome"])
for outcome in ("delivered", "refused", "error"):
    DELIVERIES.labels(outcome)  # They begin at 0, or the first of each would be no increase.
DELAY = Histogram("til_webhook_delay_seconds", "From the event to the first POST of its webhook.")

RECORD = text("""
WITH tried AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v (
        id uuid, lease_no integer, number integer, status integer, error text, milliseconds integer,
        answer text, state text, after_seconds float8)
), written AS (
    UPDATE deliveries AS d SET
        attempts = v.number, last_status = v.status, last_error = v.error, state = v.state, phase = 'later',
        next_attempt_at = clock_timestamp() + make_interval(secs => v.after_seconds),
        finished_at = CASE WHEN v.after_seconds IS NULL THEN clock_timestamp() END
    FROM tried AS v
    WHERE d.id = v.id AND d.lease_no = v.lease_no AND d.attempts = v.number - 1 AND d.state = 'pending'
    RETURNING d.id
)
INSERT INTO delivery_attempts (delivery_id, number, status, error, milliseconds, answer)
SELECT v.id, v.number, v.status, v.error, v.milliseconds, v.answer FROM tried AS v JOIN written USING (id)
RETURNING delivery_id
""")


@dataclass(frozen=True)
class RecordedAttempt:
    """An attempt, with what is to become of its delivery."""

    due: Due
    attempt: Attempt
    decision: Again | Done

    def bare(self) -> RecordedAttempt:
        """The same without anything that the receiver has said."""
        return replace(self, attempt=Attempt(self.attempt.milliseconds, error=CRASHED))

    def row(self) -> dict[str, Any]:
        """As `RECORD` reads it."""
        match self.decision:
            case Again(after):
                ahead: dict[str, Any] = {"state": "pending", "after_seconds": after}
            case Done(state):
                ahead = {"state": state, "after_seconds": None}
        return {
            "id": str(self.due.delivery.id),
            "lease_no": self.due.delivery.lease_no,
            "number": self.due.delivery.attempts + 1,
            "status": self.attempt.status,
            "error": self.attempt.error,
            "milliseconds": self.attempt.milliseconds,
            "answer": self.attempt.answer,
            **ahead,
        }


async def record(session: AsyncSession, recorded: Sequence[RecordedAttempt]) -> set[uuid.UUID]:
    """Write what came of these attempts, each once; those whose lease has passed to another are left out."""
    rows = json.dumps([one.row() for one in recorded])
    return set((await session.scalars(RECORD, {"rows": rows})).all())


def observe(due: Due, attempt: Attempt) -> None:
    """Count the attempt; a first one also tells how late it was."""
    DELIVERIES.labels("delivered" if attempt.delivered else "refused" if attempt.status else "error").inc()
    if due.delivery.attempts == 0 and due.progress is None:
        DELAY.observe(max(0.0, due.late_seconds))
