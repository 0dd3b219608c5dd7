"""What the stateful test of a job's life acts on, and what it expects."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from admin.bootstrap import bootstrap
from base.database import API, Database, sqlstate
from base.errors import AlreadyFinished, ClaimLost, WorkerGone
from base.states import ARROWS, ENDINGS, Status
from base.tables import Job, JobEvent
from capacity import queue_depth
from capacity.scaling import ScalingSettings
from jobs import finish, give_back, sweep
from jobs.fence import Claim
from jobs.workers import register
from tests.jobs.test_transitions import SETS
from tests.stack.sealing import BOX

LEASE = 3600.0
RESULT = {"content": "# t"}
ERROR = {"code": "engine_failed", "message": "m", "retryable": True}
LEGAL = {(source, target) for _, source, target in ARROWS}
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
Work = Callable[[AsyncSession], Awaitable[Any]]


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
            await finish.succeed(session, one, RESULT, {}, {})
        case "fail":
            await finish.fail(session, one, ERROR)
        case "cancel_run":
            await finish.cancel_run(session, one)
        case "retry":
            await give_back.retry(session, one, 0)
        case _:
            await give_back.release(session, one)


@dataclass
class Expected:
    """What a job must look like. `late`: its queue deadline has passed."""

    status: Status = Status.QUEUED
    claim_no: int = 0
    worker: uuid.UUID | None = None
    asked: bool = False
    late: bool = False
    failures: int = 0
    losses: int = 0
    attempts: int = 0

    def leave(self, status: Status) -> None:
        """A transition out of running; after a cancel request it ends as cancelled."""
        self.status = Status.CANCELLED if self.asked else status
        self.worker = None

    def act(self, verb: str, claim_no: int) -> object:
        """What `act` does to it, and what it raises."""
        if (self.status, self.claim_no) != (Status.RUNNING, claim_no):
            return ClaimLost
        if verb == "cancel_run" and not self.asked:
            return ClaimLost
        self.leave(TARGETS[verb])
        self.failures += verb in {"fail", "retry"}
        self.attempts -= verb == "release"
        return None

    def cancel(self) -> object:
        """What a cancel does to it, and what it raises or returns."""
        if self.status in ENDINGS:
            return AlreadyFinished
        self.asked = True
        if self.status == Status.QUEUED:
            self.status = Status.CANCELLED
        return self.status


class Met(NamedTuple):
    """The outcomes of two concurrent transactions, and whether the second had to wait for the first."""

    first: Any
    second: Any
    waited: bool


class World:
    """A database, its sessions' pool and one loop for a whole test."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.pool = self.run(self._open(url))

    async def _open(self, url: str) -> Database:
        pool = Database(url, API)
        async with pool.session() as session:
            self.tenant_id = uuid.UUID((await bootstrap(session, "life", BOX))["tenant_id"])
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

    async def transaction(self, work: Work) -> Any:
        """One transaction; its expected errors are returned."""
        try:
            async with self.pool.session() as session:
                return await work(session)
        except (ClaimLost, AlreadyFinished, WorkerGone) as error:
            return type(error)

    def do(self, work: Work) -> Any:
        """Run one transaction."""
        return self.run(self.transaction(work))

    def meet(self, first: Work, second: Work, commit: bool, between: Work | None = None) -> Met:
        """The second begins before the first has ended; `between` is committed in between."""

        async def both() -> Met:
            async with self.pool.session() as session:
                came_of_first = await first(session)
                if between:
                    await self.transaction(between)
                task = asyncio.create_task(self.transaction(second))
                while not task.done() and not await self.value(WAITING):
                    await asyncio.sleep(0.002)
                waited = not task.done()
                if not commit:
                    await session.rollback()
            return Met(came_of_first, await task, waited)

        found: Met = self.run(both())
        return found

    async def value(self, query: Any, **values: Any) -> Any:
        """One value, as it is now."""
        async with self.pool.session() as session:
            return (await session.execute(query, values)).scalar_one()

    async def register(self, alias: str) -> uuid.UUID:
        """A new worker for this alias."""
        worker_id = uuid.uuid4()
        async with self.pool.session() as session:
            await register(session, worker_id, "here", 30, alias, "outline", LEASE)
        return worker_id

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


async def end_lease(session: AsyncSession, worker: uuid.UUID, at: str = "clock_timestamp()") -> None:
    """The worker's lease has ended; with `at` the epoch it is the first to be rescued."""
    await session.execute(text(f"UPDATE workers SET lease_expires_at = {at} WHERE id = :id"), {"id": worker})


async def rescue(session: AsyncSession) -> int | None:
    """What a steward does that has been steady for long."""
    await queue_depth.measure(session, ScalingSettings(), LEASE)
    await session.execute(text("UPDATE figures SET steady_since = clock_timestamp() - interval '2 h'"))
    return await sweep.rescue_one_worker(session, LEASE)


async def pass_deadline(session: AsyncSession, job_ids: Sequence[uuid.UUID], after: str = "0 s") -> None:
    """The queue deadline of these jobs has passed, or passes soon."""
    late = f"UPDATE jobs SET queue_deadline = clock_timestamp() + interval '{after}' WHERE id = ANY(:ids)"
    await session.execute(text(late), {"ids": job_ids})


async def until_late(session: AsyncSession, job_ids: Sequence[uuid.UUID]) -> None:
    """Wait for it."""
    late = text("SELECT bool_and(queue_deadline <= clock_timestamp()) FROM jobs WHERE id = ANY(:ids)")
    while not (await session.execute(late, {"ids": job_ids})).scalar_one():
        await asyncio.sleep(0.005)
