"""Transactional outbox: the webhook deliveries of an event, inserted in the event's own transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import any_, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from base.arrays import among
from base.tables import Delivery, Job


async def enqueue_deliveries(session: AsyncSession, job_ids: Sequence[uuid.UUID], event: str) -> None:
    """Add a delivery of `event` for each of these jobs whose webhook asks for it.

    Disabled URLs are not left out here, but when the delivery is claimed.
    """
    if not job_ids:
        return
    wanted = select(func.gen_random_uuid(), Job.id, Job.tenant_id, literal(event), Job.webhook_url).where(
        among(Job.id, job_ids), literal(event) == any_(Job.webhook_events)
    )
    names = ["id", "job_id", "tenant_id", "event", "url"]
    await session.execute(insert(Delivery).from_select(names, wanted))
