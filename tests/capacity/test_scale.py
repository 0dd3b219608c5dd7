"""The scaling signal from real rows: what is measured, remembered and decided, the same for every process."""

from __future__ import annotations

import asyncio
import math
import uuid
from typing import Any

import pytest
from sqlalchemy import text

from base.database import Database
from capacity import queue_depth, seen
from capacity.queue_depth import QueueDepth
from capacity.rates import Rates
from capacity.scaling import ScalingSettings, desired_workers
from jobs import finish
from tests.capacity.test_queue_depth import serves, waits
from tests.jobs.conftest import claimed

SETTINGS = ScalingSettings()
LAST_LOOK = "UPDATE figures SET scaled_at = scaled_at - make_interval(secs => :seconds)"


async def change(database: Database, statement: str, **values: Any) -> None:
    async with database.session() as session:
        await session.execute(text(statement), values)


async def look(database: Database, *aliases: str, settings: ScalingSettings = SETTINGS) -> QueueDepth:
    """As a steward does: the row of figures is locked first."""
    async with database.session() as session:
        await queue_depth.stepped_back_seconds(session, 15)
        return await queue_depth.measure(session, settings, 15, aliases)


async def look_after(database: Database, seconds: float) -> QueueDepth:
    """A look when the last one was so long ago."""
    await change(database, LAST_LOOK, seconds=seconds)
    return await look(database)


async def runs(database: Database, worker_id: uuid.UUID, seconds: float, k: int = 1) -> None:
    """Claim so many jobs, let them run for so long, end them."""
    for one in await claimed(database, worker_id, k):
        earlier = "UPDATE jobs SET claimed_at = claimed_at - make_interval(secs => :s) WHERE id = :id"
        await change(database, earlier, s=seconds, id=one.claim.job_id)
        async with database.session() as session:
            await finish.succeed(session, one.claim, {"content": "x"}, {}, {})


async def test_arrivals_are_counted_by_model_and_once(database: Database, tenant_id: uuid.UUID) -> None:
    assert (await look(database)).scaling == {}
    for model, count in (("small", 6), ("large", 3)):
        for _ in range(count):
            await waits(database, tenant_id, model)
    both = (await look_after(database, 60)).scaling
    gained = (1 - math.exp(-0.5)) / 60
    assert both["small"]["arrivals_per_second"] == pytest.approx(6 * gained, rel=0.1)
    assert both["large"]["arrivals_per_second"] == pytest.approx(3 * gained, rel=0.1)
    later = await look_after(database, 30)
    kept = 6 * gained * math.exp(-0.25)
    assert later.scaling["small"]["arrivals_per_second"] == pytest.approx(kept, rel=0.1)
    assert later.arrivals_per_second == pytest.approx(kept * 1.5, rel=0.1)


async def test_where_too_many_have_come_some_are_read_and_stand_for_all(
    database: Database, tenant_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(seen.MOST, "most_events", 4)
    await look(database)
    for _ in range(12):
        await waits(database, tenant_id, "default")
    await change(database, "UPDATE jobs SET tokens = 500")
    stored = (await look_after(database, 60)).scaling["default"]
    assert stored["arrivals_per_second"] == pytest.approx(12 * (1 - math.exp(-0.5)) / 60, rel=0.1)
    assert stored["tokens_per_job"] == 500


async def test_seconds_and_tokens_are_those_of_jobs_that_succeeded(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await look(database)
    worker_id = await serves(database, "default", 8)
    for _ in range(4):
        await waits(database, tenant_id, "default")
    await change(database, "UPDATE jobs SET tokens = 2000")
    await runs(database, worker_id, 20.0, 3)
    (failing,) = await claimed(database, worker_id, 1)
    async with database.session() as session:
        await finish.fail(session, failing.claim, {"code": "x", "message": "m", "retryable": False})
    rates = Rates.read((await look(database)).scaling["default"])
    assert rates.run_seconds == pytest.approx(20, abs=1)
    assert rates.run_tokens == 2000
    assert (rates.tokens_per_job, rates.slots_per_worker) == (2000, 8)
    again = Rates.read((await look(database)).scaling["default"])
    assert (again.run_seconds, again.run_tokens) == (rates.run_seconds, 2000)


async def test_any_process_computes_the_stored_number_again(database: Database, tenant_id: uuid.UUID) -> None:
    await look(database)
    worker_id = await serves(database, "default", 3)
    for _ in range(9):
        await waits(database, tenant_id, "default")
    await runs(database, worker_id, 150.0, 2)
    await claimed(database, worker_id, 3)
    await look_after(database, 5)
    async with database.session() as session:
        row = await queue_depth.read(session)
    stored = row.scaling["default"]
    assert desired_workers(row.of("default"), Rates.read(stored), SETTINGS) == stored["desired"] > 1
    assert row.workers_desired == stored["desired"]


async def test_two_stewards_that_look_at_once_count_an_arrival_once(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await look(database)
    for _ in range(5):
        await waits(database, tenant_id, "default")
    await change(database, LAST_LOOK, seconds=60)
    found = await asyncio.gather(*(look(database) for _ in range(4)))
    rates = [one.scaling["default"]["arrivals_per_second"] for one in found]
    assert max(rates) == pytest.approx(5 * (1 - math.exp(-0.5)) / 60, rel=0.1)


async def test_one_is_asked_for_as_soon_as_anything_waits_and_none_once_it_has_long_been_idle(
    database: Database, tenant_id: uuid.UUID
) -> None:
    assert (await look(database, "default")).scaling["default"]["desired"] == 0
    await waits(database, tenant_id, "default")
    assert (await look(database)).scaling["default"]["desired"] == 1
    await change(database, "UPDATE jobs SET status = 'cancelled', finished_at = now()")
    desired = [(await look_after(database, 9)).scaling["default"]["desired"] for _ in range(50)]
    lasted = desired.index(0) * 9
    assert 360 <= lasted <= 400
    assert set(desired[desired.index(0) :]) == {0}


async def test_an_outage_of_the_stewards_is_no_time_of_idleness(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await waits(database, tenant_id, "default")
    await look(database)
    await change(database, "UPDATE jobs SET status = 'cancelled', finished_at = now()")
    assert (await look_after(database, 7200)).scaling["default"]["desired"] == 1


async def test_a_job_that_is_scheduled_for_tomorrow_asks_for_nobody(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await waits(database, tenant_id, "default")
    await change(database, "UPDATE jobs SET not_before = clock_timestamp() + interval '1 day'")
    found = await look(database)
    assert (found.of("default").queued, found.of("default").due) == (1, 0)
    assert found.scaling["default"]["desired"] == 0
    await change(database, "UPDATE jobs SET not_before = clock_timestamp() + interval '1 minute'")
    assert (await look(database)).scaling["default"]["desired"] == 1


async def test_a_model_that_is_offered_has_a_number_and_one_that_nobody_uses_is_forgotten(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await waits(database, tenant_id, "old")
    await look(database, "default")
    await change(database, "DELETE FROM job_events")
    await change(database, "DELETE FROM jobs")
    assert set((await look(database, "default")).scaling) == {"default", "old"}
    assert set((await look_after(database, 90_000)).scaling) == set()
    assert set((await look(database, "default")).scaling) == {"default"}


async def test_the_steward_of_the_version_before_leaves_what_is_remembered(
    database: Database, tenant_id: uuid.UUID
) -> None:
    await waits(database, tenant_id, "default")
    before = (await look(database)).scaling
    await change(database, "UPDATE figures SET at = clock_timestamp(), models = '{}', workers_desired = 7")
    async with database.session() as session:
        assert (await queue_depth.read(session)).scaling == before
    assert (await look(database)).scaling["default"]["desired"] == 1
