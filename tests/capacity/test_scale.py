"""The scaling signal computed from real rows: measured rates, stored state, desired workers."""

from __future__ import annotations

import asyncio
import math
import uuid
from typing import Any

import pytest
from sqlalchemy import text

from base.database import Database
from capacity import queue_depth, recent_events
from capacity.queue_depth import QueueDepth
from capacity.rates import Rates
from capacity.scaling import ScalingSettings, desired_workers
from jobs import finish
from tests.capacity.test_queue_depth import serves, waits
from tests.jobs.conftest import claimed

SETTINGS = ScalingSettings()
AGE_LAST = "UPDATE figures SET scaled_at = scaled_at - make_interval(secs => :seconds)"


async def change(database: Database, statement: str, **values: Any) -> None:
    async with database.session() as session:
        await session.execute(text(statement), values)


async def measure(database: Database, *aliases: str, settings: ScalingSettings = SETTINGS) -> QueueDepth:
    """Measure as a steward does, with the row of figures locked first."""
    async with database.session() as session:
        await queue_depth.stepped_back_seconds(session, 15)
        return await queue_depth.measure(session, settings, 15, aliases)


async def measure_after(database: Database, seconds: float) -> QueueDepth:
    """Measure when the last one was so long ago."""
    await change(database, AGE_LAST, seconds=seconds)
    return await measure(database)


async def runs(database: Database, worker_id: uuid.UUID, seconds: float, k: int = 1) -> None:
    """Claim `k` jobs, let them run for so long, and finish them."""
    for one in await claimed(database, worker_id, k):
        earlier = "UPDATE jobs SET claimed_at = claimed_at - make_interval(secs => :s) WHERE id = :id"
        await change(database, earlier, s=seconds, id=one.claim.job_id)
        async with database.session() as session:
            await finish.succeed(session, one.claim, {"content": "x"}, {}, {})


async def test_arrivals_are_counted_by_model_and_once(database: Database, tenant_id: uuid.UUID) -> None:
    assert (await measure(database)).scaling == {}
    for model, count in (("small", 6), ("large", 3)):
        for _ in range(count):
            await waits(database, tenant_id, model)
    both = (await measure_after(database, 60)).scaling
    gained = (1 - math.exp(-0.5)) / 60
    assert both["small"]["arrivals_per_second"] == pytest.approx(6 * gained, rel=0.1)
    assert both["large"]["arrivals_per_second"] == pytest.approx(3 * gained, rel=0.1)
    later = await measure_after(database, 30)
    kept = 6 * gained * math.exp(-0.25)
    assert later.scaling["small"]["arrivals_per_second"] == pytest.approx(kept, rel=0.1)
    assert later.arrivals_per_second == pytest.approx(kept * 1.5, rel=0.1)


async def test_a_part_of_many_events_is_read_and_scaled_up(
    database: Database, tenant_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recent_events.LIMITS, "most_events", 4)
    await measure(database)
    for _ in range(12):
        await waits(database, tenant_id, "default")
    await change(database, "UPDATE jobs SET tokens = 500")
    stored = (await measure_after(database, 60)).scaling["default"]
    assert stored["arrivals_per_second"] == pytest.approx(12 * (1 - math.exp(-0.5)) / 60, rel=0.1)
    assert stored["tokens_per_job"] == 500


async def test_run_seconds_and_tokens_are_those_of_jobs_that_succeeded(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await measure(database)
    worker_id = await serves(database, "default", 8)
    for _ in range(4):
        await waits(database, tenant_id, "default")
    await change(database, "UPDATE jobs SET tokens = 2000")
    await runs(database, worker_id, 20.0, 3)
    (failing,) = await claimed(database, worker_id, 1)
    async with database.session() as session:
        await finish.fail(session, failing.claim, {"code": "x", "message": "m", "retryable": False})
    rates = Rates.read((await measure(database)).scaling["default"])
    assert rates.run_seconds == pytest.approx(20, abs=1)
    assert rates.run_tokens == 2000
    assert (rates.tokens_per_job, rates.slots_per_worker) == (2000, 8)
    again = Rates.read((await measure(database)).scaling["default"])
    assert (again.run_seconds, again.run_tokens) == (rates.run_seconds, 2000)


async def test_the_stored_number_can_be_computed_from_the_stored_row(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await measure(database)
    worker_id = await serves(database, "default", 3)
    for _ in range(9):
        await waits(database, tenant_id, "default")
    await runs(database, worker_id, 150.0, 2)
    await claimed(database, worker_id, 3)
    await measure_after(database, 5)
    async with database.session() as session:
        row = await queue_depth.read(session)
    stored = row.scaling["default"]
    assert desired_workers(row.of("default"), Rates.read(stored), SETTINGS) == stored["desired"] > 1
    assert row.workers_desired == stored["desired"]


async def test_stewards_that_measure_at_the_same_time_count_an_arrival_once(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await measure(database)
    for _ in range(5):
        await waits(database, tenant_id, "default")
    await change(database, AGE_LAST, seconds=60)
    found = await asyncio.gather(*(measure(database) for _ in range(4)))
    rates = [one.scaling["default"]["arrivals_per_second"] for one in found]
    assert max(rates) == pytest.approx(5 * (1 - math.exp(-0.5)) / 60, rel=0.1)


async def test_one_worker_is_desired_once_a_job_waits_and_none_after_a_long_idle_time(
    database: Database, tenant_id: uuid.UUID
) -> None:
    assert (await measure(database, "default")).scaling["default"]["desired"] == 0
    await waits(database, tenant_id, "default")
    assert (await measure(database)).scaling["default"]["desired"] == 1
    await change(database, "UPDATE jobs SET status = 'cancelled', finished_at = now()")
    desired = [(await measure_after(database, 9)).scaling["default"]["desired"] for _ in range(50)]
    lasted = desired.index(0) * 9
    assert 360 <= lasted <= 400
    assert set(desired[desired.index(0) :]) == {0}


async def test_an_outage_of_the_stewards_does_not_count_as_idle_time(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await waits(database, tenant_id, "default")
    await measure(database)
    await change(database, "UPDATE jobs SET status = 'cancelled', finished_at = now()")
    assert (await measure_after(database, 7200)).scaling["default"]["desired"] == 1


async def test_a_job_that_is_scheduled_for_tomorrow_needs_no_worker(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await waits(database, tenant_id, "default")
    await change(database, "UPDATE jobs SET not_before = clock_timestamp() + interval '1 day'")
    found = await measure(database)
    assert (found.of("default").queued, found.of("default").due) == (1, 0)
    assert found.scaling["default"]["desired"] == 0
    await change(database, "UPDATE jobs SET not_before = clock_timestamp() + interval '1 minute'")
    assert (await measure(database)).scaling["default"]["desired"] == 1


async def test_a_configured_model_always_has_a_number_and_another_unused_one_is_dropped(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await waits(database, tenant_id, "old")
    await measure(database, "default")
    await change(database, "DELETE FROM job_events")
    await change(database, "DELETE FROM jobs")
    assert set((await measure(database, "default")).scaling) == {"default", "old"}
    assert set((await measure_after(database, 90_000)).scaling) == set()
    assert set((await measure(database, "default")).scaling) == {"default"}


async def test_a_steward_of_the_previous_version_leaves_the_stored_state(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await waits(database, tenant_id, "default")
    before = (await measure(database)).scaling
    await change(database, "UPDATE figures SET at = clock_timestamp(), models = '{}', workers_desired = 7")
    async with database.session() as session:
        assert (await queue_depth.read(session)).scaling == before
    assert (await measure(database)).scaling["default"]["desired"] == 1
