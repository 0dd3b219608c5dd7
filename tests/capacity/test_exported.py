"""What Prometheus reads of the figures: nothing of what is stale, and how old it is in any case."""

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
    """Goes when it is told to."""

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
    """The row as if these had been written a minute before."""
    async with database.session() as session:
        for column in columns:
            await session.execute(text(f"UPDATE figures SET {column} = {column} - interval '1 minute'"))
    async with database.session() as session:
        return await queue_depth.read(session)


async def test_figures_are_series_by_model(database: Database, tenant_id: uuid.UUID) -> None:
    exported = Exported()
    exported.show(await figures(database, tenant_id))
    shown = samples(exported)
    assert shown.pop(AGE) < 5
    assert shown.pop(("til_oldest_queued_seconds", "other")) >= 50
    assert shown == {
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
    exported.show(await older(database, "at", "scaled_at"))
    shown = samples(exported)
    assert shown.keys() == {AGE}
    assert shown[AGE] == pytest.approx(60, abs=20)


async def test_figures_grow_stale_while_no_new_ones_can_be_read(
    database: Database, tenant_id: uuid.UUID
) -> None:
    clock = Clock()
    exported = Exported(clock)
    exported.show(await figures(database, tenant_id))
    clock.now += STALE_SECONDS - 5
    assert DESIRED in samples(exported)
    clock.now += 6
    assert samples(exported).keys() == {AGE}
    assert samples(exported)[AGE] == pytest.approx(STALE_SECONDS + 1, abs=5)


async def test_a_signal_that_nobody_renews_is_left_out_though_the_depth_is_fresh(
    database: Database, tenant_id: uuid.UUID
) -> None:
    """As while only stewards of the version before run."""
    await figures(database, tenant_id)
    exported = Exported()
    exported.show(await older(database, "scaled_at"))
    shown = samples(exported)
    assert ("til_jobs", "other", "queued") in shown
    assert DESIRED not in shown


async def test_figures_that_were_never_written_are_infinitely_old(database: Database) -> None:
    exported = Exported()
    async with database.session() as session:
        exported.show(await queue_depth.read(session))
    assert samples(exported) == {AGE: math.inf}


async def test_the_text_is_what_prometheus_reads(database: Database, tenant_id: uuid.UUID) -> None:
    exported, registry = Exported(), CollectorRegistry()
    registry.register(exported)
    assert "til_queue_figures_age_seconds +Inf" in generate_latest(registry).decode()
    exported.show(await figures(database, tenant_id))
    assert 'til_workers_desired{model="other"} 1.0' in generate_latest(registry).decode()
