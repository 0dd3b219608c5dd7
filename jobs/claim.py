"""claim: queued -> running, the first jobs in line for the free slots of one worker."""

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
"""After so many losses a job is a suspect: it may be what kills its workers. A worker runs one at a time."""
Candidate = Row[uuid.UUID, int, int]
"""Id, losses and tokens of a job that may be claimed."""


async def claim(
    session: AsyncSession, worker_id: uuid.UUID, k: int, budget: KvBudget | None = None
) -> list[Claimed]:
    """Claim up to `k` queued jobs of the worker's model for it, in the order of `order_at` (submit time less
    priority).

    The claim ends at the first job that does not fit into `budget`, so that large jobs do not starve. It
    locks the worker's own row first, and leaves out jobs whose `not_before` lies ahead or whose queue
    deadline has passed. Raises WorkerGone when the worker's lease has ended or it drains.
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


async def _choose(session: AsyncSession, worker_id: uuid.UUID, model: str, k: int) -> list[Candidate]:
    """The first `k` that may run here: at most one suspect, the others replaced by jobs behind them."""
    unsuspected = Job.losses < SUSPECT_LOSSES
    if await _runs_suspect(session, worker_id):
        return list((await session.execute(_candidates(model, k, unsuspected))).all())
    rows = (await session.execute(_candidates(model, k))).all()
    suspects = [row.id for row in rows if row.losses >= SUSPECT_LOSSES]
    chosen = [row for row in rows if row.id not in suspects[1:]]
    if len(suspects) > 1:
        taken = [row.id for row in chosen]
        others = _candidates(model, k - len(chosen), unsuspected, not_among(Job.id, taken))
        chosen += (await session.execute(others)).all()
    return chosen


def _candidates(model: str, k: int, *conditions: ColumnElement[bool]) -> Select[uuid.UUID, int, int]:
    """The first `k` that may be claimed, locked: new jobs, and jobs whose `not_before` has come.

    Each kind has an index of its own, so that jobs that are not due yet are not read.
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


async def _runs_suspect(session: AsyncSession, worker_id: uuid.UUID) -> bool:
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
    """The request as JSON text, "" if it has been erased. Raises ClaimLost."""
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
    """Jobs that need nothing but a slot."""
    return [*_claimable(model), Job.not_before.is_(None)]


def _again(model: str) -> list[ColumnElement[bool]]:
    """Jobs whose `not_before` has come: mostly retries."""
    return [*_claimable(model), Job.not_before <= STATEMENT_NOW]


def _claimable(model: str) -> list[ColumnElement[bool]]:
    in_time = or_(Job.started_at.is_not(None), Job.queue_deadline > STATEMENT_NOW)
    return [Job.status == Status.QUEUED, Job.model == model, in_time]
