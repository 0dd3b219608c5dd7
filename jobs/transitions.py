"""Every arrow of a job's life, one verb each. Nothing else changes `jobs.status`.

A transition out of `running` is fenced by `(id, claim_no, running)`; endings also by a live lease of the
worker. An arrow out of `running` that meets a cancel request ends as `cancelled`, whatever it wanted.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, ColumnElement, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.errors import AlreadyFinished, ClaimLost, NoSuchJob
from jobs.fence import (
    NOW,
    STATEMENT_NOW,
    Claim,
    Claimed,
    back_to_queue,
    ending,
    fence,
    fence_alive,
    fence_any,
    fence_asked,
    fence_unknown,
    if_cancelled,
    later,
    unless_cancelled,
)
from jobs.outbox import post_events
from jobs.spending import Usage, with_usage
from jobs.states import ENDINGS, Status
from jobs.tables import Job

NO_IDENTITY_MAP = {"synchronize_session": False}
"""No session here holds jobs as objects, so none is searched for those that a statement has changed."""


async def start(session: AsyncSession, job_ids: Sequence[uuid.UUID], worker_id: uuid.UUID) -> list[Claimed]:
    """claim: queued -> running. The caller holds the locks of these rows and of the worker's."""
    statement = (
        update(Job)
        .where(Job.id.in_(job_ids), Job.status == Status.QUEUED)
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
    await post_events(session, [row.id for row in rows], "started")
    return [Claimed.of(row, worker_id) for row in sorted(rows, key=lambda row: job_ids.index(row.id))]


async def succeed(
    session: AsyncSession,
    claim: Claim,
    result: dict[str, Any],
    usage: dict[str, Any],
    provenance: dict[str, Any],
) -> Status:
    """running -> succeeded, or cancelled if a cancel was committed first. Raises ClaimLost."""
    return await _end(
        session,
        claim,
        Status.SUCCEEDED,
        result=unless_cancelled(result),
        usage=with_usage(usage),
        provenance=provenance,
        partial_text=if_cancelled(result.get("content")),
    )


async def fail(
    session: AsyncSession,
    claim: Claim,
    error: dict[str, Any],
    partial_text: str | None = None,
    usage: Usage = None,
) -> Status:
    """running -> failed, or cancelled if a cancel was committed first. Raises ClaimLost."""
    return await _end(
        session,
        claim,
        Status.FAILED,
        error=unless_cancelled(error),
        partial_text=partial_text,
        failures=Job.failures + 1,
        usage=with_usage(usage),
    )


async def cancel_run(
    session: AsyncSession, claim: Claim, partial_text: str | None = None, usage: Usage = None
) -> None:
    """running -> cancelled, as was asked for, by the worker that has stopped it. Raises ClaimLost."""
    values = ending(Status.CANCELLED) | {"partial_text": partial_text, "usage": with_usage(usage)}
    await _write(session, fence_asked(claim), values)


async def retry(
    session: AsyncSession,
    claim: Claim,
    after_seconds: float,
    partial_text: str | None = None,
    usage: Usage = None,
) -> Status:
    """running -> queued, charged as a failure and not before `after_seconds`; or cancelled. ClaimLost."""
    values = {"failures": Job.failures + 1, "not_before": later(after_seconds)}
    return await _give_up(session, claim, partial_text, usage, **values)


async def release(
    session: AsyncSession,
    claim: Claim,
    partial_text: str | None = None,
    usage: Usage = None,
    after_seconds: float | None = None,
) -> Status:
    """running -> queued, nothing charged, since it never ran to an end here; or cancelled. ClaimLost."""
    values = {} if after_seconds is None else {"not_before": later(after_seconds)}
    return await _give_up(session, claim, partial_text, usage, attempts=Job.attempts - 1, **values)


def release_unknown(worker: CTE, held: Sequence[Claim]) -> CTE:
    """running -> queued, as `release`, for the runs that are the worker's, but none that it knows of."""
    values = back_to_queue() | {"attempts": Job.attempts - 1}
    statement = update(Job).where(fence_unknown(worker, held)).values(values)
    return statement.returning(Job.id, Job.status).cte("released")


async def rescue(session: AsyncSession, claims: Sequence[Claim], charged: bool) -> list[uuid.UUID]:
    """running -> queued for the jobs of a dead worker, `losses + 1` if charged; cancelled ones end so."""
    values = back_to_queue() | {"losses": Job.losses + int(charged)}
    statement = update(Job).where(fence_any(claims)).values(values).returning(Job.id, Job.status)
    rows = (await session.execute(statement)).all()
    await post_events(session, [row.id for row in rows if row.status == Status.CANCELLED], "cancelled")
    return [row.id for row in rows]


async def fail_lost(session: AsyncSession, claim: Claim, error: dict[str, Any]) -> None:
    """running -> failed for a job that has killed its workers; needs no live lease. Raises ClaimLost."""
    values = ending(Status.FAILED) | {"error": unless_cancelled(error), "losses": Job.losses + 1}
    await _write(session, fence(claim), values)


async def expire(session: AsyncSession, limit: int, error: dict[str, Any]) -> int:
    """queued -> expired for up to `limit` jobs never started within `queue_seconds`; how many."""
    due = (
        select(Job.id)
        .where(Job.status == Status.QUEUED, Job.started_at.is_(None), Job.queue_deadline <= STATEMENT_NOW)
        .order_by(Job.queue_deadline)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    values = {"status": Status.EXPIRED, "finished_at": NOW, "not_before": None, "error": error}
    statement = update(Job).where(Job.id.in_(due)).values(values).returning(Job.id)
    ids = list((await session.execute(statement)).scalars())
    await post_events(session, ids, "expired")
    return len(ids)


async def cancel(session: AsyncSession, tenant_id: uuid.UUID, job_id: uuid.UUID) -> Status:
    """queued -> cancelled at once; running: asked to stop. Returns the status after.

    Raises NoSuchJob (also for another tenant's) and AlreadyFinished.
    """
    queued = Job.status == Status.QUEUED
    statement = (
        update(Job)
        .where(Job.id == job_id, Job.tenant_id == tenant_id, Job.status.not_in(ENDINGS))
        .values(
            status=case((queued, Status.CANCELLED.value), else_=Job.status),
            finished_at=case((queued, NOW)),
            not_before=None,
            cancel_requested_at=func.coalesce(Job.cancel_requested_at, NOW),
        )
        .returning(Job.status)
    )
    status = (await session.execute(statement)).scalar_one_or_none()
    if status is None:
        known = select(Job.id).where(Job.id == job_id, Job.tenant_id == tenant_id)
        raise AlreadyFinished if (await session.execute(known)).scalar_one_or_none() else NoSuchJob
    if status == Status.CANCELLED:
        await post_events(session, [job_id], "cancelled")
    return Status(status)


async def _end(session: AsyncSession, claim: Claim, status: Status, **values: Any) -> Status:
    return await _write(session, fence_alive(claim), ending(status) | values)


async def _give_up(
    session: AsyncSession, claim: Claim, partial_text: str | None, usage: Usage, **values: Any
) -> Status:
    values |= back_to_queue() | {"partial_text": if_cancelled(partial_text), "usage": with_usage(usage)}
    return await _write(session, fence_alive(claim), values)


async def _write(session: AsyncSession, condition: ColumnElement[bool], values: dict[str, Any]) -> Status:
    statement = update(Job).where(condition).values(values).returning(Job.id, Job.status)
    row = (await session.execute(statement, execution_options=NO_IDENTITY_MAP)).one_or_none()
    if row is None:
        raise ClaimLost
    if row.status in ENDINGS:
        await post_events(session, [row.id], row.status)
    return Status(row.status)
