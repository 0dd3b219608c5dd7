"""cancel: queued -> cancelled at once; for a running job the request is stored, which its worker obeys."""

from __future__ import annotations

import uuid

from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from base.clock import NOW
from base.errors import AlreadyFinished
from base.states import ENDINGS, Status
from base.tables import Job
from jobs import own
from jobs.outbox import enqueue_deliveries


async def cancel(session: AsyncSession, tenant_id: uuid.UUID, job_id: uuid.UUID) -> Status:
    """queued -> cancelled; a running job only gets `cancel_requested_at`. Returns the status after.

    Raises NoSuchJob (also for another tenant's) and AlreadyFinished.
    """
    queued = Job.status == Status.QUEUED
    statement = (
        update(Job)
        .where(own.owned_by(tenant_id, job_id), Job.status.not_in(ENDINGS))
        .values(
            status=case((queued, Status.CANCELLED.value), else_=Job.status),
            finished_at=case((queued, NOW)),
            not_before=None,
            cancel_requested_at=func.coalesce(Job.cancel_requested_at, NOW),
        )
        .returning(Job.status)
    )
    status = (await session.execute(statement)).scalar_one_or_none()
    if status is None:
        await own.one(session, tenant_id, job_id, select(Job.id))
        raise AlreadyFinished
    if status == Status.CANCELLED:
        await enqueue_deliveries(session, [job_id], "cancelled")
    return Status(status)
