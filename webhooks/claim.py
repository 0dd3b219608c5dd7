"""Claims due deliveries, destination by destination in turn, and builds the message of each."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from base.arrays import among
from base.clock import NOW
from base.states import Status
from base.tables import Delivery, Job, Tenant
from jobs.view import job_view, when
from webhooks import endpoints
from webhooks.concurrency import Destination
from webhooks.urls import host_of

MARK_DUE_AT_ONCE = 500
BEFORE_ALL = Destination(uuid.UUID(int=0), "")
"""Sorts before every destination."""
AFTER_ALL_HOSTS = "\x7f"

MARK_DUE = text("""
WITH come AS MATERIALIZED (
    SELECT id FROM deliveries
    WHERE state = 'pending' AND phase <> 'due' AND next_attempt_at <= statement_timestamp()
    ORDER BY next_attempt_at LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE deliveries AS d SET phase = 'due' FROM come WHERE d.id = come.id RETURNING d.id
""")
DESTINATIONS = text("""
WITH RECURSIVE destinations (tenant_id, host, number) AS (
    (SELECT tenant_id, host, 1 FROM deliveries
     WHERE state = 'pending' AND phase = 'due' AND (tenant_id, host) > (CAST(:tenant_id AS uuid), :host)
     ORDER BY tenant_id, host LIMIT 1)
    UNION ALL
    SELECT next.tenant_id, next.host, last.number + 1 FROM destinations AS last CROSS JOIN LATERAL (
        SELECT d.tenant_id, d.host FROM deliveries AS d
        WHERE d.state = 'pending' AND d.phase = 'due' AND (d.tenant_id, d.host) > (last.tenant_id,
            CASE WHEN last.tenant_id = ANY (CAST(:full AS uuid[])) THEN :after_all ELSE last.host END)
        ORDER BY d.tenant_id, d.host LIMIT 1
    ) AS next WHERE last.number < :most
) SELECT tenant_id, host FROM destinations
""")
"""The destinations with due deliveries, one index lookup each (a loose index scan), however many deliveries
they have. Of a full tenant only the first is read, and the rest skipped."""

CLAIM = text("""
WITH picked AS MATERIALIZED (
    SELECT d.id FROM unnest(CAST(:tenant_ids AS uuid[]), CAST(:hosts AS text[]), CAST(:counts AS integer[]))
        AS granted (tenant_id, host, count) CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE state = 'pending' AND phase = 'due' AND tenant_id = granted.tenant_id AND host = granted.host
        ORDER BY next_attempt_at LIMIT granted.count FOR UPDATE SKIP LOCKED
    ) AS d
)
UPDATE deliveries AS d SET phase = 'posting', lease_no = d.lease_no + 1,
    next_attempt_at = clock_timestamp() + make_interval(secs => :lease)
FROM picked WHERE d.id = picked.id RETURNING d.id
""")


@dataclass(frozen=True)
class ClaimedDelivery:
    """A delivery leased to this steward, or a progress webhook, which is stored nowhere.

    `secrets`: as stored, so they may be sealed. `late_seconds`: since the event. `send_before`: on this
    process's monotonic clock; a request that begins later may outlast the lease.
    """

    delivery: Delivery
    job: Job
    secrets: tuple[str, ...]
    late_seconds: float
    send_before: float
    progress: dict[str, Any] | None = None

    @property
    def destination(self) -> Destination:
        """Whose limit it counts against."""
        return Destination(self.delivery.tenant_id, self.delivery.host)

    @property
    def endpoint(self) -> endpoints.Endpoint:
        """The URL whose failures are counted."""
        return self.delivery.tenant_id, self.delivery.url

    @property
    def message_id(self) -> str:
        """`webhook-id`: the same on every attempt."""
        return f"msg_{self.delivery.id.hex}"

    def body(self) -> str:
        """The JSON to send."""
        body = {
            "type": f"til.{self.delivery.event}",
            "timestamp": when(self.delivery.event_at),
            "data": job_view(self.job, self.delivery, progress=self.progress, in_a_webhook=True),
        }
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


async def mark_due(session: AsyncSession) -> int:
    """Mark up to 500 deliveries as due: their next attempt's time has come, or the steward that had leased
    them is gone. Returns how many."""
    return len((await session.scalars(MARK_DUE, {"most": MARK_DUE_AT_ONCE})).all())


async def destinations(
    session: AsyncSession, after: Destination | None, most: int, full_tenants: Sequence[uuid.UUID]
) -> list[Destination]:
    """Up to `most` destinations with due deliveries, in order, after `after`; one of each full tenant."""
    tenant_id, host = after or BEFORE_ALL
    values = {"tenant_id": tenant_id, "host": host, "most": most}
    found = await session.execute(
        DESTINATIONS, values | {"full": list(full_tenants), "after_all": AFTER_ALL_HOSTS}
    )
    return [Destination(*row) for row in found]


async def claim(
    session: AsyncSession, granted: Mapping[Destination, int], lease_seconds: float, send_before: float
) -> tuple[list[ClaimedDelivery], int]:
    """Lease the granted number of due deliveries of each destination to this steward.

    Returns them, and the number of deliveries that have ended instead because their URL is disabled.
    """
    values = {
        "tenant_ids": [destination.tenant_id for destination in granted],
        "hosts": [destination.host for destination in granted],
        "counts": list(granted.values()),
    }
    ids = list((await session.scalars(CLAIM, values | {"lease": lease_seconds})).all())
    found = await _load(session, ids, send_before) if ids else []
    disabled = [one.delivery.id for one in found if one.job.webhook_disabled]
    if disabled:
        await endpoints.end_disabled(session, disabled)
    return [one for one in found if not one.job.webhook_disabled], len(disabled)


async def _load(session: AsyncSession, ids: Sequence[uuid.UUID], send_before: float) -> list[ClaimedDelivery]:
    query = (
        select(Delivery, Job, Tenant.webhook_secret, Tenant.previous_secrets, NOW)
        .join(Job, Job.id == Delivery.job_id)
        .join(Tenant, Tenant.id == Delivery.tenant_id)
        .options(defer(Job.request))
        .where(among(Delivery.id, ids))
    )
    return [
        ClaimedDelivery(
            delivery=delivery,
            job=job,
            secrets=signing_secrets(secret, previous, now),
            late_seconds=(now - delivery.event_at).total_seconds(),
            send_before=send_before,
        )
        for delivery, job, secret, previous, now in await session.execute(query)
    ]


def signing_secrets(
    secret: str, previous: Sequence[dict[str, str]], now: datetime.datetime
) -> tuple[str, ...]:
    """The secrets to sign with at this time, as stored: the present one, and rotated ones until they end."""
    overlapping = [one for one in previous if datetime.datetime.fromisoformat(one["until"]) > now]
    return (secret, *(one["secret"] for one in overlapping))


async def progress_deliveries(
    session: AsyncSession, progress: Mapping[uuid.UUID, dict[str, Any]], send_before: float
) -> list[ClaimedDelivery]:
    """The progress webhooks of these jobs, without those that have ended or whose URL is disabled."""
    query = (
        select(Job, Tenant.webhook_secret, Tenant.previous_secrets, NOW)
        .join(Tenant, Tenant.id == Job.tenant_id)
        .options(defer(Job.request))
        .where(among(Job.id, progress), Job.status == Status.RUNNING, ~Job.webhook_disabled)
    )
    return [
        ClaimedDelivery(
            delivery=_unstored(job, now),
            job=job,
            secrets=signing_secrets(secret, previous, now),
            late_seconds=0.0,
            send_before=send_before,
            progress=progress[job.id],
        )
        for job, secret, previous, now in await session.execute(query)
    ]


def _unstored(job: Job, now: datetime.datetime) -> Delivery:
    return Delivery(
        id=uuid.uuid4(),
        tenant_id=job.tenant_id,
        event="progress",
        event_at=now,
        url=job.webhook_url,
        host=host_of(str(job.webhook_url)),
        state="none",
        attempts=0,
    )
