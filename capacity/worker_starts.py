"""Workers that are starting, and workers that died: to detect that a model's workers fail again and again.

A ready worker has a row in `workers` instead. `capacity.scale` counts the dead ones.
"""

from __future__ import annotations

import uuid

from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from base.clock import NOW, STATEMENT_NOW
from base.tables import NOW as DEFAULT_NOW
from base.tables import Table, Time

FORGET_DAYS = 1
BATCH = 1000

LOST = text("""
WITH gone AS (DELETE FROM workers WHERE id = :id RETURNING id, host, model, started_at)
INSERT INTO worker_starts (id, host, model, started_at, ended_at, why)
SELECT id, host, model, started_at, clock_timestamp(), 'lease_ended' FROM gone
ON CONFLICT (id) DO NOTHING
""")


class WorkerStart(Table):
    """A worker process that is starting (`ended_at` None), or one that died.

    `why`: `start_failed`, `vanished` (its host started another one before it was ready) or `lease_ended`.
    """

    __tablename__ = "worker_starts"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    model: Mapped[str]
    started_at: Mapped[Time] = mapped_column(server_default=DEFAULT_NOW)
    ended_at: Mapped[Time | None]
    why: Mapped[str | None]


async def begin(session: AsyncSession, start_id: uuid.UUID, host: str, model: str) -> None:
    """Record that a worker starts. An unfinished start of the same host and model is marked as vanished."""
    unfinished = (WorkerStart.host == host, WorkerStart.model == model, WorkerStart.ended_at.is_(None))
    await session.execute(update(WorkerStart).where(*unfinished).values(ended_at=NOW, why="vanished"))
    session.add(WorkerStart(id=start_id, host=host, model=model))
    await session.flush()


async def forget(session: AsyncSession, start_id: uuid.UUID) -> None:
    """Delete the record: the worker is ready, or was asked to stop, which is no failure."""
    await session.execute(delete(WorkerStart).where(WorkerStart.id == start_id))


async def failed(session: AsyncSession, start_id: uuid.UUID) -> None:
    """Record that the start failed."""
    mine = update(WorkerStart).where(WorkerStart.id == start_id)
    await session.execute(mine.values(ended_at=NOW, why="start_failed"))


async def lost(session: AsyncSession, worker_id: uuid.UUID) -> None:
    """Move a worker whose lease has ended from `workers` to here, as `lease_ended`."""
    await session.execute(LOST, {"id": worker_id})


async def forget_old(session: AsyncSession) -> None:
    """Delete rows older than a day, one batch."""
    day_ago = STATEMENT_NOW - func.make_interval(0, 0, 0, FORGET_DAYS)
    ended = WorkerStart.ended_at < day_ago
    never_ended = WorkerStart.ended_at.is_(None) & (WorkerStart.started_at < day_ago)
    old = select(WorkerStart.id).where(or_(ended, never_ended)).limit(BATCH).with_for_update(skip_locked=True)
    chosen = old.cte("old").prefix_with("MATERIALIZED")
    await session.execute(delete(WorkerStart).where(WorkerStart.id == chosen.c.id))
