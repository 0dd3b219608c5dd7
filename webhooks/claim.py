"""deliver: claim due deliveries, lane by lane in turn, and make of each the message to post."""

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
from webhooks.concurrency import Lane
from webhooks.urls import host_of

FALL_DUE_AT_ONCE = 500
BEFORE_ALL = Lane(uuid.UUID(int=0), "")
AFTER_ALL_HOSTS = "\x7f"

FALL_DUE = text("""
WITH fallen AS MATERIALIZED (
    SELECT id FROM deliveries
    WHERE state = 'pending' AND phase <> 'due' AND next_attempt_at <= statement_timestamp()
    ORDER BY next_attempt_at LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE deliveries AS d SET phase = 'due' FROM fallen WHERE d.id = fallen.id RETURNING d.id
""")
LANES = text("""
WITH RECURSIVE lanes (tenant_id, host, number) AS (
    (SELECT tenant_id, host, 1 FROM deliveries
     WHERE state = 'pending' AND phase = 'due' AND (tenant_id, host) > (CAST(:tenant_id AS uuid), :host)
     ORDER BY tenant_id, host LIMIT 1)
    UNION ALL
    SELECT next.tenant_id, next.host, lanes.number + 1 FROM lanes CROSS JOIN LATERAL (
        SELECT d.tenant_id, d.host FROM deliveries AS d
        WHERE d.state = 'pending' AND d.phase = 'due' AND (d.tenant_id, d.host) > (lanes.tenant_id,
            CASE WHEN lanes.tenant_id = ANY (CAST(:full AS uuid[])) THEN :after_all ELSE lanes.host END)
        ORDER BY d.tenant_id, d.host LIMIT 1
    ) AS next WHERE lanes.number < :most
) SELECT tenant_id, host FROM lanes
""")
"""The lanes with something due one by one by the index (a loose index scan), full tenants in one step: what
is not due, or has much waiting, costs nothing."""

CLAIM = text("""
WITH picked AS MATERIALIZED (
    SELECT d.id FROM unnest(CAST(:tenant_ids AS uuid[]), CAST(:hosts AS text[]), CAST(:rooms AS integer[]))
        AS lane (tenant_id, host, room) CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE state = 'pending' AND phase = 'due' AND tenant_id = lane.tenant_id AND host = lane.host
        ORDER BY next_attempt_at LIMIT lane.room FOR UPDATE SKIP LOCKED
    ) AS d
)
UPDATE deliveries AS d SET phase = 'posting', lease_no = d.lease_no + 1,
    next_attempt_at = clock_timestamp() + make_interval(secs => :lease)
FROM picked WHERE d.id = picked.id RETURNING d.id
""")


@dataclass(frozen=True)
class Due:
    """A delivery claimed by this steward, or a progress webhook, which is stored nowhere.

    `secrets`: as stored, perhaps sealed. `post_before`: on this process's monotonic clock; later its lease
    may end before the post does.
    """

    delivery: Delivery
    job: Job
    secrets: tuple[str, ...]
    late_seconds: float
    post_before: float
    progress: dict[str, Any] | None = None

    @property
    def lane(self) -> Lane:
        """Whose place its post takes."""
        return Lane(self.delivery.tenant_id, self.delivery.host)

    @property
    def endpoint(self) -> endpoints.Endpoint:
        """Whose failures are counted."""
        return self.delivery.tenant_id, self.delivery.url

    @property
    def message_id(self) -> str:
        """`webhook-id`: the same on every attempt."""
        return f"msg_{self.delivery.id.hex}"

    def body(self) -> str:
        """The JSON to post."""
        body = {
            "type": f"til.{self.delivery.event}",
            "timestamp": when(self.delivery.event_at),
            "data": job_view(self.job, self.delivery, progress=self.progress, in_a_webhook=True),
        }
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


async def fall_due(session: AsyncSession) -> int:
    """Let up to 500 deliveries whose time, or whose steward's lease, has come be claimed; how many."""
    return len((await session.scalars(FALL_DUE, {"most": FALL_DUE_AT_ONCE})).all())


async def lanes(
    session: AsyncSession, after: Lane | None, most: int, full_tenants: Sequence[uuid.UUID]
) -> list[Lane]:
    """Up to `most` lanes with something due, those after `after`; of full tenants at most one each."""
    tenant_id, host = after or BEFORE_ALL
    values = {"tenant_id": tenant_id, "host": host, "most": most}
    found = await session.execute(LANES, values | {"full": list(full_tenants), "after_all": AFTER_ALL_HOSTS})
    return [Lane(*row) for row in found]


async def claim(
    session: AsyncSession, granted: Mapping[Lane, int], lease_seconds: float, post_before: float
) -> tuple[list[Due], int]:
    """Lease so many due deliveries of each lane to this steward, so that no other posts the same attempt.

    Those whose URL is disabled end instead; how many.
    """
    values = {
        "tenant_ids": [lane.tenant_id for lane in granted],
        "hosts": [lane.host for lane in granted],
        "rooms": list(granted.values()),
    }
    ids = list((await session.scalars(CLAIM, values | {"lease": lease_seconds})).all())
    found = await _load(session, ids, post_before) if ids else []
    disabled = [one.delivery.id for one in found if one.job.webhook_disabled]
    if disabled:
        await endpoints.end_disabled(session, disabled)
    return [one for one in found if not one.job.webhook_disabled], len(disabled)


async def _load(session: AsyncSession, ids: Sequence[uuid.UUID], post_before: float) -> list[Due]:
    query = (
        select(Delivery, Job, Tenant.webhook_secret, Tenant.previous_secrets, NOW)
        .join(Job, Job.id == Delivery.job_id)
        .join(Tenant, Tenant.id == Delivery.tenant_id)
        .options(defer(Job.request))
        .where(among(Delivery.id, ids))
    )
    return [
        Due(
            delivery=delivery,
            job=job,
            secrets=signing(secret, previous, now),
            late_seconds=(now - delivery.event_at).total_seconds(),
            post_before=post_before,
        )
        for delivery, job, secret, previous, now in await session.execute(query)
    ]


def signing(secret: str, previous: Sequence[dict[str, str]], now: datetime.datetime) -> tuple[str, ...]:
    """The secrets that sign at this time, as stored."""
    overlapping = [one for one in previous if datetime.datetime.fromisoformat(one["until"]) > now]
    return (secret, *(one["secret"] for one in overlapping))


async def progress_of(
    session: AsyncSession, told: Mapping[uuid.UUID, dict[str, Any]], post_before: float
) -> list[Due]:
    """What to post of these jobs' progress, but for those that have ended or whose URL is disabled."""
    query = (
        select(Job, Tenant.webhook_secret, Tenant.previous_secrets, NOW)
        .join(Tenant, Tenant.id == Job.tenant_id)
        .options(defer(Job.request))
        .where(among(Job.id, told), Job.status == Status.RUNNING, ~Job.webhook_disabled)
    )
    return [
        Due(_unstored(job, now), job, signing(secret, previous, now), 0.0, post_before, told[job.id])
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
