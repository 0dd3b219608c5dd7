"""Jobs and workers at any age, for tests that don't wait for time to pass."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text, update

from api.group_commit import Submitter
from base.database import Database
from base.tables import Job
from jobs.claim import claim
from jobs.fence import Claimed
from jobs.submission import Submission
from jobs.workers import register
from tests.stack.processes import day
from til.request import TilRequest

Submit = Callable[..., Awaitable[uuid.UUID]]
NewWorker = Callable[..., Awaitable[uuid.UUID]]


@pytest.fixture
def submit(database: Database, tenant_id: uuid.UUID) -> Submit:
    """Submit a small job; `age_seconds` makes it older."""

    async def one(age_seconds: float = 0, **more: object) -> uuid.UUID:
        request = TilRequest.model_validate(day(**more))
        done = await Submitter(database).submit(Submission(tenant_id, request, request.model or "default"))
        if age_seconds:
            older = datetime.timedelta(seconds=age_seconds)
            values = {
                "created_at": Job.created_at - older,
                "order_at": Job.order_at - older,
                "queue_deadline": Job.queue_deadline - older,
            }
            async with database.session() as session:
                await session.execute(update(Job).where(Job.id == done.job_id).values(values))
        return done.job_id

    return one


@pytest.fixture
def new_worker(database: Database) -> NewWorker:
    """Register a worker; a negative lease is one that has ended."""

    async def one(lease_seconds: float = 60, model: str = "default") -> uuid.UUID:
        worker_id = uuid.uuid4()
        async with database.session() as session:
            await register(session, worker_id, "here", 30, model, "outline", lease_seconds)
        return worker_id

    return one


async def claimed(database: Database, worker_id: uuid.UUID, k: int = 1) -> list[Claimed]:
    """Claim in a transaction of its own."""
    async with database.session() as session:
        return await claim(session, worker_id, k)


async def job(database: Database, job_id: uuid.UUID) -> Job:
    """The row as it is now."""
    async with database.session() as session:
        return await session.get_one(Job, job_id, populate_existing=True)


async def verbs(database: Database, job_id: uuid.UUID) -> list[str]:
    """The job's history."""
    async with database.session() as session:
        query = text("SELECT verb FROM job_events WHERE job_id = :id ORDER BY id")
        return list((await session.execute(query, {"id": job_id})).scalars())


async def end_lease(database: Database, worker_id: uuid.UUID) -> None:
    """As if the worker had been silent for longer than its lease."""
    async with database.session() as session:
        late = text("UPDATE workers SET lease_expires_at = clock_timestamp() - interval '1 s' WHERE id = :id")
        await session.execute(late, {"id": worker_id})
