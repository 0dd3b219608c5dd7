"""deliver: claim due deliveries fairly by host, and record what came of each attempt, many at a time."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import Counter, Histogram
from sqlalchemy import exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from jobs.fence import NOW
from jobs.redeliver import Again, Done
from jobs.states import Status
from jobs.tables import Delivery, Job, Tenant, WebhookEndpoint
from jobs.view import job_view, when
from jobs.webhook import Attempt

SECRETS = (Tenant.webhook_secret, Tenant.previous_secret, Tenant.previous_secret_until > NOW)
DELIVERIES = Counter("til_webhook_deliveries_total", "Webhook attempts by outcome.", ["outcome"])
DELAY = Histogram("til_webhook_delay_seconds", "From the event to the first POST of its webhook.")

CLAIM = text("""
WITH RECURSIVE hosts (host) AS (
    (SELECT host FROM deliveries WHERE state = 'pending' ORDER BY host LIMIT 1)
    UNION ALL
    SELECT (SELECT d.host FROM deliveries AS d WHERE d.state = 'pending' AND d.host > hosts.host
            ORDER BY d.host LIMIT 1)
    FROM hosts WHERE hosts.host IS NOT NULL
), due AS (
    SELECT d.id FROM hosts CROSS JOIN LATERAL (
        SELECT id, next_attempt_at FROM deliveries
        WHERE state = 'pending' AND host = hosts.host AND next_attempt_at <= clock_timestamp()
        ORDER BY next_attempt_at
        LIMIT coalesce((CAST(:room AS jsonb) ->> hosts.host)::integer, :usual_room)
    ) AS d ORDER BY d.next_attempt_at LIMIT :most
)
UPDATE deliveries
SET next_attempt_at = clock_timestamp() + make_interval(secs => :lease), lease_no = lease_no + 1
WHERE id IN (
    SELECT id FROM deliveries WHERE id IN (SELECT id FROM due) AND state = 'pending'
        AND next_attempt_at <= clock_timestamp() FOR UPDATE SKIP LOCKED
) RETURNING id
""")
"""The hosts one by one by the index (a loose index scan), and of each no more than it has room for: what one
host has waiting costs the others nothing."""

RECORD = text("""
WITH tried AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v (
        id uuid, lease_no integer, number integer, status integer, error text, milliseconds integer,
        answer text, state text, after_seconds float8)
), written AS (
    UPDATE deliveries AS d SET
        attempts = v.number, last_status = v.status, last_error = v.error, state = v.state,
        next_attempt_at = clock_timestamp() + make_interval(secs => v.after_seconds),
        finished_at = CASE WHEN v.after_seconds IS NULL THEN clock_timestamp() END
    FROM tried AS v WHERE d.id = v.id AND d.lease_no = v.lease_no AND d.state = 'pending'
    RETURNING d.id
)
INSERT INTO delivery_attempts (delivery_id, number, status, error, milliseconds, answer)
SELECT v.id, v.number, v.status, v.error, v.milliseconds, v.answer FROM tried AS v JOIN written USING (id)
RETURNING delivery_id
""")


@dataclass(frozen=True)
class Due:
    """A delivery claimed by this steward: what to post, and the fence (`lease_no`) for the record of it."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    lease_no: int
    attempts: int
    attempts_before: int
    event: str
    url: str
    host: str
    secrets: tuple[str, ...]
    body: str
    late_seconds: float

    @property
    def message_id(self) -> str:
        """`webhook-id`: the same on every attempt."""
        return f"msg_{self.id.hex}"


@dataclass(frozen=True)
class Tried:
    """An attempt, with what is to become of its delivery."""

    due: Due
    attempt: Attempt
    decision: Again | Done

    def row(self) -> dict[str, Any]:
        """As `RECORD` reads it."""
        again = isinstance(self.decision, Again)
        return {
            "id": str(self.due.id),
            "lease_no": self.due.lease_no,
            "number": self.due.attempts + 1,
            "status": self.attempt.status,
            "error": self.attempt.error,
            "milliseconds": self.attempt.milliseconds,
            "answer": self.attempt.answer,
            "state": "pending" if isinstance(self.decision, Again) else self.decision.state,
            "after_seconds": self.decision.after_seconds if again else None,  # type: ignore[union-attr]
        }


async def claim_due(
    session: AsyncSession, most: int, lease_seconds: float, room: Mapping[str, int], usual_room: int
) -> list[Due]:
    """Lease up to `most` due deliveries to this steward, so that no other posts the same attempt.

    `room`: how many more each host may get, for those that differ from `usual_room`.
    """
    values = {"most": most, "lease": lease_seconds, "room": json.dumps(room), "usual_room": usual_room}
    ids = list((await session.scalars(CLAIM, values)).all())
    return await _load(session, ids) if ids else []


async def _load(session: AsyncSession, ids: Sequence[uuid.UUID]) -> list[Due]:
    late = func.extract("epoch", NOW - Delivery.event_at)
    query = (
        select(Delivery, Job, *SECRETS, late)
        .join(Job, Job.id == Delivery.job_id)
        .join(Tenant, Tenant.id == Delivery.tenant_id)
        .options(defer(Job.request))
        .where(Delivery.id.in_(ids))
    )
    return [_due(*row) for row in (await session.execute(query)).all()]


def _due(
    delivery: Delivery,
    job: Job,
    secret: str,
    previous: str | None,
    overlap: bool,
    late: float,
    progress: dict[str, Any] | None = None,
) -> Due:
    body = {
        "type": f"til.{delivery.event}",
        "timestamp": when(delivery.event_at),
        "data": job_view(job, delivery, progress=progress),
    }
    return Due(
        id=delivery.id,
        tenant_id=delivery.tenant_id,
        lease_no=delivery.lease_no,
        attempts=delivery.attempts,
        attempts_before=delivery.attempts_before,
        event=delivery.event,
        url=delivery.url,
        host=delivery.host,
        secrets=(secret, previous) if previous and overlap else (secret,),
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        late_seconds=float(late),
    )


async def progress_of(session: AsyncSession, told: Mapping[uuid.UUID, dict[str, Any]]) -> list[Due]:
    """What to post of these jobs' progress, but for those that have ended or whose URL is disabled."""
    off = exists().where(
        WebhookEndpoint.tenant_id == Job.tenant_id,
        WebhookEndpoint.url == Job.webhook_url,
        WebhookEndpoint.disabled_at.is_not(None),
    )
    query = (
        select(Job, NOW, *SECRETS)
        .join(Tenant, Tenant.id == Job.tenant_id)
        .options(defer(Job.request))
        .where(Job.id.in_(told), Job.status == Status.RUNNING, ~off)
    )
    rows = (await session.execute(query)).all()
    return [
        _due(_unstored(job, now), job, secret, previous, overlap, 0.0, told[job.id])
        for job, now, secret, previous, overlap in rows
    ]


def _unstored(job: Job, now: datetime.datetime) -> Delivery:
    return Delivery(
        id=uuid.uuid4(),
        tenant_id=job.tenant_id,
        event="progress",
        event_at=now,
        url=job.webhook_url,
        host=urlsplit(str(job.webhook_url)).netloc.lower(),
        state="none",
        lease_no=0,
        attempts=0,
        attempts_before=0,
    )


async def record(session: AsyncSession, tried: Sequence[Tried]) -> set[uuid.UUID]:
    """Write what came of these attempts; those whose lease has passed to another steward are left out."""
    rows = json.dumps([one.row() for one in tried])
    return set((await session.scalars(RECORD, {"rows": rows})).all())


def observe(due: Due, attempt: Attempt) -> None:
    """Count the attempt; a first one also tells how late it was."""
    DELIVERIES.labels("delivered" if attempt.delivered else "refused" if attempt.status else "error").inc()
    if due.attempts == 0 and due.event != "progress":
        DELAY.observe(max(0.0, due.late_seconds))
