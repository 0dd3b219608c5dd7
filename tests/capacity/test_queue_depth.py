"""The queue depth, in total and by model."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import text

from base.database import Database
from capacity import measure, queue_depth
from capacity.exported import Exported
from capacity.queue_depth import QueueDepth
from capacity.scaling import ScalingSettings
from jobs.submission import Submission
from jobs.submit import insert_batch
from jobs.workers import register
from tests.jobs.conftest import claimed
from tests.stack.processes import day
from til.request import TilRequest

OLDER = text("""
UPDATE jobs SET created_at = created_at - make_interval(secs => :age),
    order_at = order_at - make_interval(secs => :age)
WHERE id = :id
""")


async def waits(
    database: Database, tenant_id: uuid.UUID, model: str, age_seconds: float = 0, priority: int = 0
) -> None:
    """Queue a job of this model that was submitted so long ago."""
    submission = Submission(tenant_id, TilRequest.model_validate(day(priority=priority)), model)
    async with database.session() as session:
        await insert_batch(session, [submission])
        await session.execute(OLDER, {"id": submission.id, "age": age_seconds})


async def serves(database: Database, model: str, slots: int) -> uuid.UUID:
    """Register a worker of this model."""
    worker_id = uuid.uuid4()
    async with database.session() as session:
        await register(session, worker_id, "here", slots, model, "outline", 60)
    return worker_id


async def measured(database: Database) -> QueueDepth:
    async with database.session() as session:
        return await queue_depth.measure(session, ScalingSettings(), 15)


async def test_each_model_has_figures_of_its_own(database: Database, tenant_id: uuid.UUID) -> None:
    worker_id = await serves(database, "small", 8)
    await serves(database, "idle", 4)
    for model, age in (("small", 500), ("small", 100), ("small", 40), ("large", 2000), ("large", 70)):
        await waits(database, tenant_id, model, age)
    await claimed(database, worker_id, 1)
    depth = await measured(database)
    small, large, idle = (depth.of(model) for model in ("small", "large", "idle"))
    assert (small.queued, small.running, small.workers, small.slots) == (2, 1, 1, 8)
    assert (large.queued, large.running, large.workers, large.slots) == (2, 0, 0, 0)
    assert (idle.queued, idle.running, idle.workers, idle.slots) == (0, 0, 1, 4)
    ages = [one.oldest_queued_seconds for one in (small, large, idle)]
    assert ages == pytest.approx([100, 2000, 0], abs=30)
    assert (depth.queued, depth.running, depth.workers, depth.slots) == (4, 1, 2, 12)
    assert depth.oldest_queued_at is not None
    assert (depth.at - depth.oldest_queued_at).total_seconds() == pytest.approx(2000, abs=30)


async def test_the_oldest_job_is_the_one_that_has_waited_longest_whatever_its_position(
    database: Database, tenant_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with more jobs than are counted each second, and with jobs of higher priority."""
    monkeypatch.setitem(measure.LIMITS, "few_limit", 2)
    await waits(database, tenant_id, "default", 900, priority=-3600)
    for priority in (0, 60, 3600, 3600):
        await waits(database, tenant_id, "default", 10, priority)
    depth = (await measured(database)).of("default")
    assert depth.queued == 5
    assert depth.oldest_queued_seconds == pytest.approx(900, abs=5)


async def test_a_long_queue_is_counted_every_ten_seconds(
    database: Database, tenant_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(measure.LIMITS, "few_limit", 2)
    for model in ("default", "default", "default", "other"):
        await waits(database, tenant_id, model)
    first = await measured(database)
    for model in ("default", "other"):
        await waits(database, tenant_id, model)
    second = await measured(database)
    assert (first.counted_at, first.queued) == (second.counted_at, 4)
    assert (second.of("default").queued, second.of("other").queued, second.queued) == (3, 2, 5)
    async with database.session() as session:
        await session.execute(text("UPDATE figures SET counted_at = counted_at - interval '10 s'"))
    third = await measured(database)
    assert third.counted_at > second.counted_at
    assert third.of("default").queued == 4


async def test_the_metrics_of_a_model_without_jobs_are_zero(database: Database, tenant_id: uuid.UUID) -> None:
    exported = Exported()
    await waits(database, tenant_id, "gone", 50)
    exported.update(await measured(database))
    found = samples(exported)
    assert found["til_jobs", "gone", "queued"] == 1
    assert found["til_oldest_queued_seconds", "gone"] >= 50
    async with database.session() as session:
        await session.execute(text("UPDATE jobs SET status = 'cancelled', finished_at = now()"))
    exported.update(await measured(database))
    found = samples(exported)
    assert (found["til_jobs", "gone", "queued"], found["til_oldest_queued_seconds", "gone"]) == (0, 0)


def samples(exported: Exported) -> dict[tuple[str, ...], float]:
    """The samples' values by name and labels."""
    found = (sample for family in exported.collect() for sample in family.samples)
    return {(sample.name, *sample.labels.values()): sample.value for sample in found}
