"""A worker's row: registration, lease and heartbeat, draining."""

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
class HeartbeatResult:
    """What the worker must do: abort the runs of `lost` claims, and cancel those of `cancelled` ones.

    `released`: how many claims that the worker did not know of were released.
    """

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
) -> HeartbeatResult:
    """Renew the lease, and compare the claims that the worker holds (`held`) with those in the database, in
    one statement.

    Claims that the worker does not know of (the answer to the claim was lost after COMMIT) are released.
    Raises WorkerGone when the lease has ended: the worker's jobs run elsewhere, it must register anew.
    `through_outage`: the worker was awake all the time, but could not reach the database; it may renew a
    lease that has ended, unless a steward has rescued its jobs already.
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
    released_jobs = {row.id: row.status for row in rows if row.status}
    ended = [job_id for job_id, status in released_jobs.items() if status in ENDINGS]
    await enqueue_deliveries(session, ended, "cancelled")
    owned = {Claim(row.id, row.claim_no, worker_id): row.cancel_requested_at for row in rows if row.id}
    cancelled = frozenset(claim for claim in held if owned.get(claim))
    return HeartbeatResult(frozenset(held) - owned.keys(), cancelled, len(released_jobs))


async def cancel_requests(session: AsyncSession, worker_id: uuid.UUID) -> list[Claim]:
    """The claims of this worker whose jobs have a cancel request."""
    query = select(Job.id, Job.claim_no).where(
        Job.worker_id == worker_id, Job.status == Status.RUNNING, Job.cancel_requested_at.is_not(None)
    )
    return [Claim(row.id, row.claim_no, worker_id) for row in await session.execute(query)]


async def drain(session: AsyncSession, worker_id: uuid.UUID) -> None:
    """No more claims for this worker."""
    await session.execute(update(Worker).where(Worker.id == worker_id).values(draining=True))


async def end_lease(session: AsyncSession, worker_id: uuid.UUID) -> None:
    """End the lease now, so that a steward rescues the worker's jobs: its engine or process is failing."""
    await session.execute(update(Worker).where(Worker.id == worker_id).values(lease_expires_at=NOW))


async def leave(session: AsyncSession, worker_id: uuid.UUID) -> None:
    """Remove the worker's row if it has no running job; if it has, the row stays for the steward's rescue."""
    holds = select(Job.id).where(Job.worker_id == worker_id, Job.status == Status.RUNNING)
    await session.execute(delete(Worker).where(Worker.id == worker_id, ~holds.exists()))


def _in(seconds: float) -> ColumnElement[datetime.datetime]:
    return NOW + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
