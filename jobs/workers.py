"""A worker's row: its lease, which it renews, and the claims that it holds."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from base.clock import NOW
from base.errors import WorkerGone
from base.states import ENDINGS, Status
from base.tables import Job, Worker
from jobs import give_back
from jobs.fence import Claim
from jobs.outbox import enqueue_deliveries


@dataclass(frozen=True)
class Beat:
    """What a heartbeat found: claims that are no longer the worker's, and those to be cancelled."""

    lost: frozenset[Claim]
    cancelled: frozenset[Claim]
    released: int


async def register(
    session: AsyncSession, worker_id: uuid.UUID, host: str, slots: int, model: str, engine: str, lease: float
) -> None:
    """Add this process's worker row, its first lease of `lease` seconds included."""
    values = {"id": worker_id, "host": host, "slots": slots, "model": model, "engine": engine}
    session.add(Worker(**values, lease_expires_at=_in(lease)))
    await session.flush()


async def heartbeat(
    session: AsyncSession,
    worker_id: uuid.UUID,
    held: Collection[Claim],
    lease_seconds: float,
    tokens_per_second: float,
    through_outage: bool = False,
) -> Beat:
    """Renew the lease, and compare the claims that the worker holds with those that the database gives it:
    one statement, which sends them.

    A claim that the worker does not know of (its answer was lost after COMMIT) is released. Raises
    WorkerGone when the lease has ended: the worker's jobs run elsewhere, it must begin anew. Only a worker
    that was awake and could not reach the database meanwhile (`through_outage`) renews an ended lease, as
    long as no steward has taken its jobs.
    """
    live = true() if through_outage else Worker.lease_expires_at > NOW
    renewed = (
        update(Worker)
        .where(Worker.id == worker_id, live)
        .values(lease_expires_at=_in(lease_seconds), tokens_per_second=tokens_per_second)
        .returning(Worker.id)
        .cte("renewed")
    )
    released = give_back.release_unknown(renewed, list(held))
    mine = and_(Job.worker_id == renewed.c.id, Job.status == Status.RUNNING)
    query = select(Job.id, Job.claim_no, Job.cancel_requested_at, released.c.status).select_from(
        renewed.outerjoin(Job, mine).outerjoin(released, released.c.id == Job.id)
    )
    rows = (await session.execute(query)).all()
    if not rows:
        raise WorkerGone
    let_go = {row.id: row.status for row in rows if row.status}
    await enqueue_deliveries(session, [i for i, status in let_go.items() if status in ENDINGS], "cancelled")
    owned = {Claim(row.id, row.claim_no, worker_id): row.cancel_requested_at for row in rows if row.id}
    asked = frozenset(claim for claim in held if owned.get(claim))
    return Beat(frozenset(held) - owned.keys(), asked, len(let_go))


async def asked_to_stop(session: AsyncSession, worker_id: uuid.UUID) -> list[Claim]:
    """The claims of this worker that somebody wants cancelled."""
    query = select(Job.id, Job.claim_no).where(
        Job.worker_id == worker_id, Job.status == Status.RUNNING, Job.cancel_requested_at.is_not(None)
    )
    return [Claim(row.id, row.claim_no, worker_id) for row in await session.execute(query)]


async def drain(session: AsyncSession, worker_id: uuid.UUID) -> None:
    """No more claims for this worker."""
    await session.execute(update(Worker).where(Worker.id == worker_id).values(draining=True))


async def end_lease(session: AsyncSession, worker_id: uuid.UUID) -> None:
    """End the lease now: this worker can run nothing more, and its jobs are to be rescued as losses."""
    await session.execute(update(Worker).where(Worker.id == worker_id).values(lease_expires_at=NOW))


async def leave(session: AsyncSession, worker_id: uuid.UUID) -> None:
    """Remove the row of a worker that holds nothing any more; one that holds something stays, to be swept."""
    holds = select(Job.id).where(Job.worker_id == worker_id, Job.status == Status.RUNNING)
    await session.execute(delete(Worker).where(Worker.id == worker_id, ~holds.exists()))


def _in(seconds: float) -> ColumnElement[datetime.datetime]:
    return NOW + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
