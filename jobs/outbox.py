"""The deliveries that an event causes, written in the event's own transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import and_, any_, case, func, literal, null, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.endpoints import DISABLED
from jobs.fence import NOW
from jobs.tables import Delivery, Job, WebhookEndpoint


async def post_events(session: AsyncSession, job_ids: Sequence[uuid.UUID], event: str) -> None:
    """Add a delivery of `event` for each of these jobs whose webhook asks for it.

    It is pending, or failed at once where the tenant's URL is disabled.
    """
    if not job_ids:
        return
    endpoint = and_(WebhookEndpoint.tenant_id == Job.tenant_id, WebhookEndpoint.url == Job.webhook_url)
    off = WebhookEndpoint.disabled_at.is_not(None)
    values = {
        "id": func.gen_random_uuid(),
        "job_id": Job.id,
        "tenant_id": Job.tenant_id,
        "event": literal(event),
        "url": Job.webhook_url,
        "state": case((off, "failed"), else_="pending"),
        "last_error": case((off, DISABLED), else_=null()),
        "next_attempt_at": case((off, null()), else_=NOW),
        "finished_at": case((off, NOW), else_=null()),
    }
    wanted = (
        select(*values.values())
        .outerjoin_from(Job, WebhookEndpoint, endpoint)
        .where(Job.id.in_(job_ids), literal(event) == any_(Job.webhook_events))
    )
    await session.execute(insert(Delivery).from_select(list(values), wanted))
