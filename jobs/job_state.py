"""The part of a job's row that the api's waiting and streaming readers check again and again."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from base.arrays import among
from base.states import Status
from base.tables import Job
from jobs import own


@dataclass(frozen=True)
class JobState:
    """A job's status, and its latest claim (0: never claimed)."""

    status: Status
    claim_no: int


async def job_state(session: AsyncSession, tenant_id: uuid.UUID, job_id: uuid.UUID) -> JobState:
    """The state of this job of the tenant. Raises NoSuchJob, also for another tenant's."""
    row = await own.one(session, tenant_id, job_id, select(Job.status, Job.claim_no))
    return JobState(Status(row.status), row.claim_no)


async def job_states(session: AsyncSession, job_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, JobState]:
    """The state of each of these jobs; deleted ones are left out."""
    query = select(Job.id, Job.status, Job.claim_no).where(among(Job.id, job_ids))
    rows = (await session.execute(query)).all()
    return {row.id: JobState(Status(row.status), row.claim_no) for row in rows}
