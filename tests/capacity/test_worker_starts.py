"""Workers that die without finishing a job: the jobs that wait for them report it."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import text

from base.database import Database
from capacity import queue_depth, worker_starts
from capacity.scaling import ScalingSettings
from jobs import read
from tests.capacity.test_scale import change, measure, runs
from tests.jobs.conftest import NewWorker, Submit, end_lease, new_worker, submit
from tests.jobs.test_sweep import rescue

__all__ = ["new_worker", "submit"]


async def waiting_for(database: Database, tenant_id: uuid.UUID, job_id: uuid.UUID) -> str:
    """`waiting_for` of the job after the steward's next measurement."""
    await measure(database)
    async with database.session() as session:
        return str((await read.show(session, tenant_id, job_id))["waiting_for"])


async def start(database: Database, host: str = "a", ends: str = "failed", model: str = "default") -> None:
    """Record the start of a worker and its end; "killed" records none."""
    start_id = uuid.uuid4()
    async with database.session() as session:
        await worker_starts.begin(session, start_id, host, model)
    async with database.session() as session:
        if ends == "failed":
            await worker_starts.failed(session, start_id)
        elif ends == "ready":
            await worker_starts.forget(session, start_id)


async def reasons(database: Database) -> list[tuple[str, str | None]]:
    async with database.session() as session:
        rows = await session.execute(text("SELECT host, why FROM worker_starts ORDER BY started_at"))
        return [(row.host, row.why) for row in rows]


async def test_a_job_reports_workers_that_fail_again_and_again(
    database: Database, tenant_id: uuid.UUID, submit: Submit
) -> None:
    job_id = await submit()
    assert await waiting_for(database, tenant_id, job_id) == "cold_start"
    await start(database)
    assert await waiting_for(database, tenant_id, job_id) == "cold_start"
    await start(database, model="other")
    assert await waiting_for(database, tenant_id, job_id) == "cold_start"
    await start(database)
    assert await waiting_for(database, tenant_id, job_id) == "worker_failing"
    await change(database, "UPDATE worker_starts SET ended_at = ended_at - interval '31 minutes'")
    assert await waiting_for(database, tenant_id, job_id) == "cold_start"


async def test_workers_that_die_before_a_success_are_failing_until_one_succeeds(
    database: Database, tenant_id: uuid.UUID, submit: Submit, new_worker: NewWorker
) -> None:
    job_id = await submit()
    for _ in range(2):
        dead = await new_worker()
        await end_lease(database, dead)
        assert await rescue(database) == 0
    await new_worker()
    assert await waiting_for(database, tenant_id, job_id) == "worker_failing"
    other = await submit(age_seconds=60)
    await runs(database, await new_worker(), 1.0)
    assert await waiting_for(database, tenant_id, job_id) == "capacity"
    async with database.session() as session:
        assert (await read.show(session, tenant_id, other))["status"] == "succeeded"


async def test_two_workers_that_die_after_a_success_are_not_failing(
    database: Database, tenant_id: uuid.UUID, submit: Submit, new_worker: NewWorker
) -> None:
    await measure(database)
    workers = [await new_worker() for _ in range(2)]
    await submit()
    await runs(database, workers[0], 1.0)
    job_id = await submit()
    for dead in workers:
        await end_lease(database, dead)
        assert await rescue(database) == 0
    assert await waiting_for(database, tenant_id, job_id) == "cold_start"


async def test_an_unfinished_start_has_vanished_once_its_host_starts_another(database: Database) -> None:
    await start(database, ends="killed")
    await start(database, host="b", ends="killed")
    await start(database, ends="ready")
    assert await reasons(database) == [("a", "vanished"), ("b", None)]


async def test_a_scheduled_retry_reports_retry_though_workers_fail(
    database: Database, tenant_id: uuid.UUID, submit: Submit
) -> None:
    job_id = await submit()
    await change(database, "UPDATE jobs SET not_before = clock_timestamp() + interval '1 minute'")
    await start(database)
    await start(database)
    assert await waiting_for(database, tenant_id, job_id) == "retry"


@pytest.mark.parametrize("ends", ["failed", "killed"])
async def test_starts_older_than_a_day_are_deleted(database: Database, ends: str) -> None:
    await start(database, ends=ends)
    for column in ("started_at", "ended_at"):
        await change(database, f"UPDATE worker_starts SET {column} = {column} - interval '25 h'")
    await start(database, host="b")
    async with database.session() as session:
        await worker_starts.forget_old(session)
    assert await reasons(database) == [("b", "start_failed")]


async def test_the_figures_report_failing_workers_by_model(database: Database) -> None:
    await start(database, model="large")
    await start(database, model="large")
    async with database.session() as session:
        found = await queue_depth.measure(session, ScalingSettings(), 15, ["default", "large"])
    failing = {name: one["workers_failing"] for name, one in found.scaling.items()}
    assert failing == {"default": False, "large": True}
