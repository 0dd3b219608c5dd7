"""Where jobs stand: what a reader that follows them must learn from PostgreSQL, and no more."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from base.arrays import among
from base.errors import NoSuchJob
from base.states import Status
from base.tables import Job


@dataclass(frozen=True)
class JobState:
    """A job's status, and its latest claim (0: never claimed)."""

    status: Status
    claim_no: int


async def job_state(session: AsyncSession, tenant_id: uuid.UUID, job_id: uuid.UUID) -> JobState:
    """Where this job of the tenant stands. Raises NoSuchJob, also for another tenant's."""
    query = select(Job.status, Job.claim_no).where(Job.id == job_id, Job.tenant_id == tenant_id)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NoSuchJob
    return JobState(Status(row.status), row.claim_no)


async def job_states(session: AsyncSession, job_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, JobState]:
    """Where each of these jobs stands; those that are gone are left out."""
    query = select(Job.id, Job.status, Job.claim_no).where(among(Job.id, job_ids))
    rows = (await session.execute(query)).all()
    return {row.id: JobState(Status(row.status), row.claim_no) for row in rows}
