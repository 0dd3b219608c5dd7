"""deliver: claim due deliveries, post them outside any transaction, record each attempt."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from prometheus_client import Counter, Histogram
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from jobs.fence import NOW
from jobs.policy import SCHEDULE_SECONDS
from jobs.tables import Delivery, DeliveryAttempt, Job, Tenant
from jobs.view import job_view, when
from jobs.webhook import Attempt

LONGEST_RETRY_AFTER_SECONDS = 86_400
DELIVERIES = Counter("til_webhook_deliveries_total", "Webhook attempts by outcome.", ["outcome"])
DELAY = Histogram("til_webhook_delay_seconds", "From the event to the first POST of its webhook.")


@dataclass(frozen=True)
class Due:
    """A delivery claimed by this steward: what to post, and the fence (`lease_no`) for the record of it."""

    id: uuid.UUID
    lease_no: int
    attempts: int
    event: str
    event_at: datetime.datetime
    url: str
    secret: str
    body: str
    late_seconds: float

    @property
    def message_id(self) -> str:
        """`webhook-id`: the same on every attempt."""
        return f"msg_{self.id.hex}"


@dataclass(frozen=True)
class Again:
    """Try again after this many seconds."""

    after_seconds: float


@dataclass(frozen=True)
class Done:
    """No further attempt: `state` is `delivered` or `failed`."""

    state: str


def after_attempt(
    attempts: int,
    attempt: Attempt,
    draw: float,
    now: datetime.datetime,
    schedule_seconds: Sequence[float] = SCHEDULE_SECONDS,
) -> Again | Done:
    """Decide after an attempt with `attempts` before it; `draw` in [0, 1) spreads the schedule by +-20 %."""
    if attempt.delivered:
        return Done("delivered")
    if attempt.status == 410 or attempts >= len(schedule_seconds):
        return Done("failed")
    planned = schedule_seconds[attempts] * (0.8 + 0.4 * draw)
    return Again(max(planned, retry_after_seconds(attempt.retry_after, now)))


def retry_after_seconds(value: str | None, now: datetime.datetime) -> float:
    """Seconds that a `Retry-After` header asks for, 0 if it asks for nothing sensible, a day at the most."""
    if not value:
        return 0.0
    if value.strip().isdecimal() and value.isascii():
        return float(min(int(value.strip()[:9]), LONGEST_RETRY_AFTER_SECONDS))
    try:
        asked = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0.0
    asked = asked if asked.tzinfo else asked.replace(tzinfo=datetime.UTC)
    return min(max(0.0, (asked - now).total_seconds()), float(LONGEST_RETRY_AFTER_SECONDS))


async def claim_due(session: AsyncSession, limit: int, lease_seconds: float) -> list[Due]:
    """Lease up to `limit` due deliveries to this steward, so that no other posts the same attempt."""
    due = (
        select(Delivery.id)
        .where(
            Delivery.state == "pending",
            Delivery.next_attempt_at <= NOW,
            func.coalesce(Delivery.lease_expires_at, NOW) <= NOW,
        )
        .order_by(Delivery.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    lease = NOW + func.make_interval(0, 0, 0, 0, 0, 0, lease_seconds)
    statement = (
        update(Delivery)
        .where(Delivery.id.in_(due))
        .values(lease_expires_at=lease, lease_no=Delivery.lease_no + 1)
        .returning(Delivery.id)
    )
    ids = list((await session.scalars(statement)).all())
    return await _load(session, ids) if ids else []


async def _load(session: AsyncSession, ids: Sequence[uuid.UUID]) -> list[Due]:
    late = func.extract("epoch", NOW - Delivery.event_at)
    query = (
        select(Delivery, Job, Tenant.webhook_secret, late)
        .join(Job, Job.id == Delivery.job_id)
        .join(Tenant, Tenant.id == Delivery.tenant_id)
        .options(defer(Job.request))
        .where(Delivery.id.in_(ids))
    )
    rows = (await session.execute(query)).all()
    return [_due(delivery, job, secret, float(seconds)) for delivery, job, secret, seconds in rows]


def _due(delivery: Delivery, job: Job, secret: str, late_seconds: float) -> Due:
    body = {
        "type": f"til.{delivery.event}",
        "timestamp": when(delivery.event_at),
        "data": job_view(job, delivery),
    }
    return Due(
        id=delivery.id,
        lease_no=delivery.lease_no,
        attempts=delivery.attempts,
        event=delivery.event,
        event_at=delivery.event_at,
        url=delivery.url,
        secret=secret,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        late_seconds=late_seconds,
    )


async def record(session: AsyncSession, due: Due, attempt: Attempt, decision: Again | Done) -> bool:
    """Write what came of the attempt, unless its lease has passed to another steward (then False)."""
    values: dict[str, Any] = {
        "attempts": due.attempts + 1,
        "last_status": attempt.status,
        "lease_expires_at": None,
    }
    match decision:
        case Again(seconds):
            values["next_attempt_at"] = NOW + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        case Done(state):
            values |= {"state": state, "next_attempt_at": None, "finished_at": NOW}
    fence = (Delivery.id == due.id, Delivery.lease_no == due.lease_no, Delivery.state == "pending")
    statement = update(Delivery).where(*fence).values(values).returning(Delivery.id)
    if (await session.execute(statement)).scalar_one_or_none() is None:
        return False
    row = {
        "delivery_id": due.id,
        "number": due.attempts + 1,
        "status": attempt.status,
        "error": attempt.error,
        "milliseconds": attempt.milliseconds,
        "answer": attempt.answer,
    }
    await session.execute(insert(DeliveryAttempt).values(row))
    return True


def observe(due: Due, attempt: Attempt) -> None:
    """Count the attempt in the metrics."""
    DELIVERIES.labels("delivered" if attempt.delivered else "refused" if attempt.status else "error").inc()
    if due.attempts == 0:
        DELAY.observe(max(0.0, due.late_seconds))
