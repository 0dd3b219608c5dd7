"""sweep: what happens to the jobs of workers that died, and to jobs that were never started."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from sqlalchemy import text

from base.database import Database
from base.errors import ClaimLost, WorkerGone
from base.states import Status
from capacity import queue_depth
from capacity.scaling import ScalingSettings
from jobs import cancel, finish, give_back, sweep
from jobs.fence import Claim
from jobs.workers import HeartbeatResult, heartbeat, leave
from tests.jobs.conftest import NewWorker, Submit, claimed, end_lease, job, verbs

LEASE = 15.0


async def rescue(database: Database) -> int | None:
    """With stewards that have been steady for long."""
    async with database.session() as session:
        await queue_depth.measure(session, ScalingSettings(), LEASE)
        steady = text("UPDATE figures SET steady_since = clock_timestamp() - make_interval(secs => :lease)")
        await session.execute(steady, {"lease": LEASE})
    async with database.session() as session:
        return await sweep.rescue_one_worker(session, LEASE)


async def test_the_jobs_of_a_dead_worker_go_back_to_the_queue_and_its_late_finish_finds_nothing(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    ids = [await submit() for _ in range(3)]
    dead, other = await new_worker(), await new_worker()
    old = await claimed(database, dead, 3)
    assert await rescue(database) is None
    await end_lease(database, dead)
    assert [await rescue(database), await rescue(database)] == [3, None]
    with pytest.raises(ClaimLost):
        async with database.session() as session:
            await finish.succeed(session, old[0].claim, {}, {}, {})
    with pytest.raises(WorkerGone):
        async with database.session() as session:
            await heartbeat(session, dead, [], 15, 0.0)
    assert {c.claim.job_id for c in await claimed(database, other, 9)} == set(ids)
    row = await job(database, ids[0])
    assert (row.losses, row.failures, row.attempts, row.claim_no) == (1, 0, 2, 2)
    assert await verbs(database, ids[0]) == ["submit", "claim", "rescue", "claim"]


async def test_two_stewards_rescue_a_worker_once(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    job_id = await submit()
    dead = await new_worker()
    await claimed(database, dead)
    await end_lease(database, dead)
    assert sorted(await asyncio.gather(rescue(database), rescue(database)), key=str) == [1, None]
    assert (await job(database, job_id)).losses == 1


async def test_of_a_dead_workers_jobs_only_the_one_lost_before_is_charged(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    ids = [await submit() for _ in range(3)]
    async with database.session() as session:
        await session.execute(text("UPDATE jobs SET losses = 2 WHERE id = :id"), {"id": ids[1]})
    dead = await new_worker()
    await claimed(database, dead, 3)
    await end_lease(database, dead)
    await rescue(database)
    rows = [await job(database, i) for i in ids]
    assert [(row.status, row.losses) for row in rows] == [("queued", 0), ("failed", 3), ("queued", 0)]
    assert rows[1].error is not None
    assert rows[1].error["code"] == "worker_lost"


async def test_a_cancelled_job_of_a_dead_worker_ends_as_cancelled(
    database: Database, submit: Submit, new_worker: NewWorker, tenant_id: uuid.UUID
) -> None:
    job_id = await submit()
    dead = await new_worker()
    await claimed(database, dead)
    async with database.session() as session:
        await cancel.cancel(session, tenant_id, job_id)
    await end_lease(database, dead)
    await rescue(database)
    assert (await job(database, job_id)).status == Status.CANCELLED


async def test_only_a_job_that_never_started_expires(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    worker = await new_worker()
    started = await submit(queue_seconds=10)
    (one,) = await claimed(database, worker)
    async with database.session() as session:
        await give_back.release(session, one.claim)
        late = text("UPDATE jobs SET queue_deadline = clock_timestamp() - interval '1 s' WHERE id = :id")
        await session.execute(late, {"id": started})
    never = await submit(age_seconds=11, queue_seconds=10)
    async with database.session() as session:
        assert await sweep.expire_jobs(session) == 1
    row = await job(database, never)
    assert (row.status, row.error and row.error["code"]) == ("expired", "queue_deadline")
    assert [c.claim.job_id for c in await claimed(database, worker)] == [started]


async def test_a_worker_with_jobs_is_not_removed(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    worker = await new_worker()
    await submit()
    (one,) = await claimed(database, worker)
    for expected in (1, 0):
        async with database.session() as session:
            await leave(session, worker)
            there = text("SELECT count(*) FROM workers WHERE id = :id")
            assert (await session.execute(there, {"id": worker})).scalar_one() == expected
            if expected:
                await give_back.release(session, one.claim)


async def test_no_worker_is_rescued_until_the_stewards_have_run_for_a_whole_lease(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    await submit()
    worker = await new_worker()
    (one,) = await claimed(database, worker)
    await end_lease(database, worker)
    assert await tick(database) is None
    with pytest.raises(WorkerGone):
        await beat(database, worker, one.claim, through_outage=False)
    assert (await beat(database, worker, one.claim, through_outage=True)).lost == frozenset()
    await end_lease(database, worker)
    await age_figures(database, "steady_since", 2 * LEASE)
    assert await tick(database) == 1


async def test_an_outage_of_half_a_lease_restarts_that_wait(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    await submit()
    worker = await new_worker()
    await claimed(database, worker)
    await end_lease(database, worker)
    await tick(database)
    await age_figures(database, "steady_since", 10 * LEASE)
    await age_figures(database, "at", LEASE / 2 + 1)
    async with database.session() as session:
        assert await sweep.rescue_one_worker(session, LEASE) is None
    assert await tick(database) is None
    await age_figures(database, "steady_since", 2 * LEASE)
    assert await tick(database) == 1


async def tick(database: Database) -> int | None:
    """What a steward does: measure, then rescue."""
    async with database.session() as session:
        await queue_depth.measure(session, ScalingSettings(), LEASE)
    async with database.session() as session:
        return await sweep.rescue_one_worker(session, LEASE)


async def age_figures(database: Database, column: str, seconds: float) -> None:
    async with database.session() as session:
        older = text(f"UPDATE figures SET {column} = {column} - make_interval(secs => :seconds)")
        await session.execute(older, {"seconds": seconds})


async def beat(database: Database, worker: uuid.UUID, held: Claim, through_outage: bool) -> HeartbeatResult:
    async with database.session() as session:
        return await heartbeat(session, worker, [held], LEASE, 0.0, through_outage)
