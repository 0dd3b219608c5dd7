"""The clock of the database host steps back by an hour: every stamp in the database lies an hour ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from base.database import Database
from base.loops import Loops
from capacity import queue_depth
from capacity.scaling import ScalingSettings
from jobs import finish, give_back
from signals.doorbell import Ringer
from signals.pubsub import Live
from steward.sweeper import Sweeper
from tests.jobs.conftest import NewWorker, Submit, claimed, job

LEASE = 1.0
AN_HOUR = "interval '1 hour'"
STAMPS = {
    "workers": ("lease_expires_at", "started_at"),
    "figures": ("at", "steady_since", "counted_at", "scaled_at", "seen_finish"),
    "jobs": ("created_at", "order_at", "queue_deadline", "not_before", "started_at", "claimed_at"),
    "deliveries": ("event_at", "next_attempt_at"),
    "job_events": ("at",),
}


async def step_back(database: Database) -> None:
    """Add an hour to every stored time: the same as a clock that steps back by an hour."""
    async with database.session() as session:
        await session.execute(text("SET session_replication_role = replica"))  # No trigger looks at it.
        for table, columns in STAMPS.items():
            later = ", ".join(f"{column} = {column} + {AN_HOUR}" for column in columns)
            await session.execute(text(f"UPDATE {table} SET {later}"))
        await session.execute(text("SET session_replication_role = DEFAULT"))


@pytest.fixture
async def sweeper(database: Database, redis_url: str) -> AsyncIterator[Sweeper]:
    """A steward's sweeping, not begun yet."""
    live, ringer = Live(redis_url), Ringer(redis_url)
    yield Sweeper(database, live, ringer, ScalingSettings(), ["default"], LEASE, 0.05)
    await asyncio.to_thread(ringer.close)
    await live.close()


@asynccontextmanager
async def sweeping(sweeper: Sweeper) -> AsyncIterator[None]:
    loops = Loops(lambda name: pytest.fail(f"{name} is dead"))
    sweeper.start(loops)
    yield
    await loops.close()


async def scalar(database: Database, query: str) -> object:
    async with database.session() as session:
        return (await session.execute(text(query))).scalar_one()


async def until_true(database: Database, query: str) -> None:
    async with asyncio.timeout(20):
        while not await scalar(database, query):
            await asyncio.sleep(0.05)


async def test_a_dead_workers_jobs_are_rescued_although_its_lease_seems_to_end_in_an_hour(
    database: Database, submit: Submit, new_worker: NewWorker, sweeper: Sweeper
) -> None:
    job_id = await submit()
    await claimed(database, await new_worker(LEASE))
    async with database.session() as session:
        await queue_depth.measure(session, ScalingSettings(), LEASE)
    await step_back(database)
    async with sweeping(sweeper):
        await until_true(database, "SELECT status = 'queued' FROM jobs")
    assert (await job(database, job_id)).losses == 1


async def test_a_steward_started_after_the_step_rescues_too(
    database: Database, submit: Submit, new_worker: NewWorker, sweeper: Sweeper
) -> None:
    await submit()
    await claimed(database, await new_worker(LEASE))
    await step_back(database)
    async with sweeping(sweeper):
        await until_true(database, "SELECT status = 'queued' FROM jobs")


async def test_a_retry_and_a_delivery_keep_the_time_that_was_left_to_them(
    database: Database, submit: Submit, new_worker: NewWorker, sweeper: Sweeper
) -> None:
    retried, ended = [await submit(webhook={"url": "https://example.com/x"}) for _ in range(2)]
    worker = await new_worker(3600)
    runs = {run.claim.job_id: run.claim for run in await claimed(database, worker, 2)}
    async with database.session() as session:
        await queue_depth.measure(session, ScalingSettings(), LEASE)
        await give_back.retry(session, runs[retried], 30)
        await finish.fail(session, runs[ended], {"code": "x", "message": "m", "retryable": False})
        again = "UPDATE deliveries SET phase = 'later', next_attempt_at = clock_timestamp() + interval '30 s'"
        await session.execute(text(again))
    await step_back(database)
    async with sweeping(sweeper):
        await until_true(database, "SELECT at < clock_timestamp() + interval '1 s' FROM figures")
    left = "SELECT extract(epoch FROM {} - clock_timestamp()) FROM {} WHERE {} IS NOT NULL"
    assert -20 < float(str(await scalar(database, left.format("not_before", "jobs", "not_before")))) < 31
    due = left.format("next_attempt_at", "deliveries", "next_attempt_at")
    assert -20 < float(str(await scalar(database, due))) < 31


async def test_arrivals_of_the_last_minute_are_counted_right_after_the_step(
    database: Database, submit: Submit, sweeper: Sweeper
) -> None:
    for _ in range(5):
        await submit()
    await step_back(database)
    async with sweeping(sweeper):
        await until_true(database, "SELECT count(*) = 1 FROM figures")
    async with database.session() as session:
        found = await queue_depth.read(session)
    assert (found.queued, found.arrivals_per_second) == (5, 0)
