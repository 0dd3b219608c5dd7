"""claim: the best waiting rows for the doorbells that arrived together."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import takewhile

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Text,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from base.arrays import among, not_among
from base.clock import NOW, STATEMENT_NOW
from base.errors import ClaimLost, WorkerGone
from base.states import Status
from base.tables import Job, Worker
from capacity.kv_budget import KvBudget
from jobs.fence import (
    NO_IDENTITY_MAP,
    Claim,
    Claimed,
    fence,
)
from jobs.outbox import enqueue_deliveries

SUSPECT_LOSSES = 2
"""A job that lost this many workers may be what kills them: a worker carries at most one such job."""
Waiting = Row[uuid.UUID, int, int]
"""Id, losses and tokens of a job that may be claimed."""


async def claim(
    session: AsyncSession, worker_id: uuid.UUID, k: int, budget: KvBudget | None = None
) -> list[Claimed]:
    """Give up to `k` waiting jobs of the worker's model to it: first come, first served, with head starts.

    The first that its engine has no `budget` for ends the claim, so that large jobs do not starve. Locks the
    worker's own row first. Leaves out rows that wait for a retry or whose queue deadline has passed. Raises
    WorkerGone when the worker's lease has ended or it drains.
    """
    worker = select(Worker.model).where(
        Worker.id == worker_id, Worker.lease_expires_at > NOW, Worker.draining.is_(False)
    )
    model = (await session.execute(worker.with_for_update())).scalar_one_or_none()
    if model is None:
        raise WorkerGone
    rows = await _choose(session, worker_id, model, k)
    chosen = [row.id for row in takewhile(lambda row: budget is None or budget.take(row.tokens), rows)]
    return await _start(session, chosen, worker_id) if chosen else []


async def _choose(session: AsyncSession, worker_id: uuid.UUID, model: str, k: int) -> list[Waiting]:
    """The first `k` that may run here; where suspects must wait, the innocent behind them go first."""
    innocent = Job.losses < SUSPECT_LOSSES
    if await _carries_suspect(session, worker_id):
        return list((await session.execute(_waiting(model, k, innocent))).all())
    rows = (await session.execute(_waiting(model, k))).all()
    suspects = [row.id for row in rows if row.losses >= SUSPECT_LOSSES]
    chosen = [row for row in rows if row.id not in suspects[1:]]
    if len(suspects) > 1:
        taken = [row.id for row in chosen]
        others = _waiting(model, k - len(chosen), innocent, not_among(Job.id, taken))
        chosen += (await session.execute(others)).all()
    return chosen


def _waiting(model: str, k: int, *conditions: ColumnElement[bool]) -> Select[uuid.UUID, int, int]:
    """The first `k` that may be claimed, locked: of those that wait for a slot and of those whose time to be
    tried again has come. Each is found by an index of its own, so that what is not due costs nothing.
    """
    new, again = (
        select(Job.id, Job.losses, Job.tokens, Job.order_at)
        .where(*kind, *conditions)
        .order_by(*order)
        .limit(k)
        .with_for_update(skip_locked=True)
        .cte(name)
        for name, kind, order in (
            ("new", _new(model), (Job.order_at, Job.id)),
            ("again", _again(model), (Job.not_before,)),
        )
    )
    both = union_all(select(new), select(again)).subquery()
    return select(both.c.id, both.c.losses, both.c.tokens).order_by(both.c.order_at, both.c.id).limit(k)


async def _carries_suspect(session: AsyncSession, worker_id: uuid.UUID) -> bool:
    query = select(func.count()).where(
        Job.worker_id == worker_id, Job.status == Status.RUNNING, Job.losses >= SUSPECT_LOSSES
    )
    return bool((await session.execute(query)).scalar_one())


async def _start(session: AsyncSession, job_ids: Sequence[uuid.UUID], worker_id: uuid.UUID) -> list[Claimed]:
    """queued -> running. The caller holds the locks of these rows and of the worker's."""
    statement = (
        update(Job)
        .where(among(Job.id, job_ids), Job.status == Status.QUEUED)
        .values(
            status=Status.RUNNING,
            claim_no=Job.claim_no + 1,
            attempts=Job.attempts + 1,
            worker_id=worker_id,
            not_before=None,
            claimed_at=NOW,
            started_at=func.coalesce(Job.started_at, NOW),
            partial_text=None,
        )
        .returning(*Claimed.COLUMNS)
    )
    rows = (await session.execute(statement, execution_options=NO_IDENTITY_MAP)).all()
    await enqueue_deliveries(session, [row.id for row in rows], "started")
    return [Claimed.of(row, worker_id) for row in sorted(rows, key=lambda row: job_ids.index(row.id))]


async def request_json(session: AsyncSession, claim: Claim) -> str:
    """The request as JSON text, "" if it isn't stored any more. Raises ClaimLost."""
    rows = (await session.execute(select(cast(Job.request, Text)).where(fence(claim)))).all()
    if not rows:
        raise ClaimLost
    return rows[0][0] or ""


async def waiting(session: AsyncSession, model: str, limit: int) -> int:
    """How many jobs of this model could be claimed now, counted up to `limit` only."""
    new = select(Job.id).where(*_new(model)).order_by(Job.order_at, Job.id).limit(limit).subquery()
    again = select(Job.id).where(*_again(model)).order_by(Job.not_before).limit(limit).subquery()
    counts = (select(func.count()).select_from(some).scalar_subquery() for some in (new, again))
    count = (await session.execute(select(sum(counts, literal(0))))).scalar_one()
    return min(limit, int(count))


async def waiting_models(session: AsyncSession, limit: int) -> dict[str, int]:
    """How many claimable jobs there are for each model that a live worker serves, counted up to `limit`."""
    served = select(Worker.model).where(Worker.lease_expires_at > NOW).distinct()
    models = (await session.scalars(served)).all()
    counts = {model: await waiting(session, model, limit) for model in models}
    return {model: count for model, count in counts.items() if count}


def _new(model: str) -> list[ColumnElement[bool]]:
    """Waits for nothing but a slot."""
    return [*_claimable(model), Job.not_before.is_(None)]


def _again(model: str) -> list[ColumnElement[bool]]:
    """Has waited until its `not_before`."""
    return [*_claimable(model), Job.not_before <= STATEMENT_NOW]


def _claimable(model: str) -> list[ColumnElement[bool]]:
    in_time = or_(Job.started_at.is_not(None), Job.queue_deadline > STATEMENT_NOW)
    return [Job.status == Status.QUEUED, Job.model == model, in_time]
