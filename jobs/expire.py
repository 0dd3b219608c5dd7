"""expire: queued -> expired, for jobs that were not started in time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from base.clock import NOW, STATEMENT_NOW
from base.states import Status
from base.tables import Job
from jobs.fence import NO_IDENTITY_MAP
from jobs.outbox import enqueue_deliveries


async def expire(session: AsyncSession, limit: int, error: dict[str, Any]) -> int:
    """queued -> expired for up to `limit` jobs never started within `queue_seconds`. Returns how many."""
    due = (
        select(Job.id)
        .where(Job.status == Status.QUEUED, Job.started_at.is_(None), Job.queue_deadline <= STATEMENT_NOW)
        .order_by(Job.queue_deadline)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
        .prefix_with("MATERIALIZED")
    )
    values = {"status": Status.EXPIRED, "finished_at": NOW, "not_before": None, "error": error}
    statement = update(Job).where(Job.id == due.c.id).values(values).returning(Job.id)
    ids = list((await session.execute(statement, execution_options=NO_IDENTITY_MAP)).scalars())
    await enqueue_deliveries(session, ids, "expired")
    return len(ids)
