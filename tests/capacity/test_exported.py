"""The exported metrics: stale figures are left out, their age is always there."""

from __future__ import annotations

import math
import uuid

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text

from base.database import Database
from capacity import queue_depth
from capacity.exported import STALE_SECONDS, Exported
from capacity.queue_depth import QueueDepth
from capacity.scaling import ScalingSettings
from tests.capacity.test_queue_depth import samples, serves, waits

AGE = ("til_queue_figures_age_seconds",)
DESIRED = ("til_workers_desired", "default")


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def figures(database: Database, tenant_id: uuid.UUID) -> QueueDepth:
    """One worker of four slots, and a job that waits for another model."""
    await serves(database, "default", 4)
    await waits(database, tenant_id, "other", 50)
    async with database.session() as session:
        return await queue_depth.measure(session, ScalingSettings(), 15, ["default"])


async def older(database: Database, *columns: str) -> QueueDepth:
    """The row with these times moved back by a minute."""
    async with database.session() as session:
        for column in columns:
            await session.execute(text(f"UPDATE figures SET {column} = {column} - interval '1 minute'"))
    async with database.session() as session:
        return await queue_depth.read(session)


async def test_each_model_has_its_own_series(database: Database, tenant_id: uuid.UUID) -> None:
    exported = Exported()
    exported.update(await figures(database, tenant_id))
    found = samples(exported)
    assert found.pop(AGE) < 5
    assert found.pop(("til_oldest_queued_seconds", "other")) >= 50
    assert found == {
        DESIRED: 0,
        ("til_workers_desired", "other"): 1,
        ("til_jobs", "default", "queued"): 0,
        ("til_jobs", "default", "running"): 0,
        ("til_jobs", "other", "queued"): 1,
        ("til_jobs", "other", "running"): 0,
        ("til_oldest_queued_seconds", "default"): 0,
        ("til_model_slots", "default"): 4,
        ("til_model_slots", "other"): 0,
        ("til_slots",): 4,
        ("til_workers",): 1,
    }


async def test_stale_figures_are_left_out_and_never_zero(database: Database, tenant_id: uuid.UUID) -> None:
    await figures(database, tenant_id)
    exported = Exported()
    exported.update(await older(database, "at", "scaled_at"))
    found = samples(exported)
    assert found.keys() == {AGE}
    assert found[AGE] == pytest.approx(60, abs=20)


async def test_figures_become_stale_without_an_update(database: Database, tenant_id: uuid.UUID) -> None:
    clock = Clock()
    exported = Exported(clock)
    exported.update(await figures(database, tenant_id))
    clock.now += STALE_SECONDS - 5
    assert DESIRED in samples(exported)
    clock.now += 6
    assert samples(exported).keys() == {AGE}
    assert samples(exported)[AGE] == pytest.approx(STALE_SECONDS + 1, abs=5)


async def test_a_stale_signal_is_left_out_though_the_depth_is_fresh(
    database: Database, tenant_id: uuid.UUID
) -> None:
    """As when only stewards of the previous version run."""
    await figures(database, tenant_id)
    exported = Exported()
    exported.update(await older(database, "scaled_at"))
    found = samples(exported)
    assert ("til_jobs", "other", "queued") in found
    assert DESIRED not in found


async def test_figures_that_were_never_written_have_an_infinite_age(database: Database) -> None:
    exported = Exported()
    async with database.session() as session:
        exported.update(await queue_depth.read(session))
    assert samples(exported) == {AGE: math.inf}


async def test_the_metrics_are_in_the_text_format(database: Database, tenant_id: uuid.UUID) -> None:
    exported, registry = Exported(), CollectorRegistry()
    registry.register(exported)
    assert "til_queue_figures_age_seconds +Inf" in generate_latest(registry).decode()
    exported.update(await figures(database, tenant_id))
    assert 'til_workers_desired{model="other"} 1.0' in generate_latest(registry).decode()
