"""What the stateful test of a job's life acts on, and what it expects."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from jobs import figures, sweep, transitions
from jobs.database import API, Database, sqlstate
from jobs.errors import AlreadyFinished, ClaimLost, LockTimeout
from jobs.fence import Claim
from jobs.states import ARROWS, ENDINGS, Status
from jobs.tables import Job, JobEvent
from jobs.tenants import bootstrap
from jobs.workers import register
from tests.jobs.test_transitions import SETS

LEASE = 3600.0
RESULT = {"content": "# t"}
ERROR = {"code": "engine_failed", "message": "m", "retryable": True}
LEGAL = {(source, target) for _, source, target in ARROWS}


TARGETS = {
    "succeed": Status.SUCCEEDED,
    "fail": Status.FAILED,
    "cancel_run": Status.CANCELLED,
    "retry": Status.QUEUED,
    "release": Status.QUEUED,
}


async def act(session: AsyncSession, verb: str, one: Claim) -> None:
    """End this run of a job."""
    match verb:
        case "succeed":
            await transitions.succeed(session, one, RESULT, {}, {})
        case "fail":
            await transitions.fail(session, one, ERROR)
        case "cancel_run":
            await transitions.cancel_run(session, one)
        case "retry":
            await transitions.retry(session, one, 0)
        case _:
            await transitions.release(session, one)


@dataclass
class Expected:
    """What a job must look like."""

    status: Status = Status.QUEUED
    claim_no: int = 0
    worker: uuid.UUID | None = None
    asked: bool = False
    failures: int = 0
    losses: int = 0
    attempts: int = 0

    def leave(self, status: Status) -> None:
        """An arrow out of running, which a cancel request turns."""
        self.status = Status.CANCELLED if self.asked else status
        self.worker = None


class World:
    """A database, its two sessions' pools and one loop for a whole test."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.pool = self.run(self._open(url))

    async def _open(self, url: str) -> Database:
        pool = Database(url, API)
        async with pool.session() as session:
            self.tenant_id = uuid.UUID((await bootstrap(session, "life"))["tenant_id"])
        return pool

    def run(self, work: Awaitable[Any]) -> Any:
        """Await it."""

        async def awaited() -> Any:
            return await work

        return self.runner.run(awaited())

    def close(self) -> None:
        """Close the pool and the loop."""
        self.run(self.pool.close())
        self.runner.close()

    def do(self, work: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
        """One transaction; ClaimLost and AlreadyFinished are returned."""

        async def transaction() -> Any:
            async with self.pool.session() as session:
                return await work(session)

        try:
            return self.run(transaction())
        except (ClaimLost, AlreadyFinished) as error:
            return type(error)

    async def register(self, alias: str) -> uuid.UUID:
        """A new worker for this alias."""
        worker_id = uuid.uuid4()
        async with self.pool.session() as session:
            await register(session, worker_id, "here", 30, alias, "outline", LEASE)
        return worker_id

    async def meet(self, one: Claim, first: str, commit: bool) -> object:
        """While the first session has written but not ended, what does a cancel in a second one meet?"""
        async with self.pool.session() as session:
            await act(session, first, one)
            try:
                async with self.pool.session() as other:
                    await other.execute(text("SET LOCAL lock_timeout = '20ms'"))
                    await transitions.cancel(other, self.tenant_id, one.job_id)
            except LockTimeout:
                met: object = LockTimeout
            else:
                met = None
            if not commit:
                await session.rollback()
        return met

    async def rescue(self, worker: uuid.UUID) -> int | None:
        async with self.pool.session() as session:
            await figures.measure(session, 30, LEASE)
            await session.execute(
                text("UPDATE figures SET steady_since = clock_timestamp() - interval '2 h'")
            )
            ended = text("UPDATE workers SET lease_expires_at = clock_timestamp() WHERE id = :id")
            await session.execute(ended, {"id": worker})
        async with self.pool.session() as session:
            return await sweep.rescue_one_worker(session, LEASE)

    async def refused(self, job_id: uuid.UUID, target: Status) -> str:
        try:
            async with self.pool.session() as session:
                await session.execute(text(f"UPDATE jobs SET {SETS[target]} WHERE id = :id"), {"id": job_id})
        except DBAPIError as error:
            return sqlstate(error)
        return "accepted"

    async def look(self, alias: str) -> list[Job]:
        async with self.pool.session() as session:
            return list(await session.scalars(select(Job).where(Job.model == alias)))

    async def endings(self, alias: str) -> int:
        query = select(JobEvent.id).join(Job, Job.id == JobEvent.job_id)
        ended = query.where(Job.model == alias, JobEvent.status.in_(ENDINGS))
        async with self.pool.session() as session:
            return len(list(await session.scalars(ended)))
