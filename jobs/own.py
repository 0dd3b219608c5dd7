"""A tenant sees only its own jobs: for another's the answer is the same as for none."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import ColumnElement, Select, and_
from sqlalchemy.ext.asyncio import AsyncSession

from base.errors import NoSuchJob
from base.tables import Job


def owned_by(tenant_id: uuid.UUID, job_id: uuid.UUID) -> ColumnElement[bool]:
    """The condition for this job, if it is the tenant's."""
    return and_(Job.id == job_id, Job.tenant_id == tenant_id)


async def one(
    session: AsyncSession, tenant_id: uuid.UUID, job_id: uuid.UUID, query: Select[*tuple[Any, ...]]
) -> Any:
    """The row that this query of jobs finds for the tenant's job. Raises NoSuchJob."""
    row = (await session.execute(query.where(owned_by(tenant_id, job_id)))).one_or_none()
    if row is None:
        raise NoSuchJob
    return row
