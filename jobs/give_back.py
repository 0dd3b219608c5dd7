"""give back: running -> queued, by the claim's worker (retry, release) or for a lost worker (rescue)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, update
from sqlalchemy.ext.asyncio import AsyncSession

from base.states import Status
from base.tables import Job
from jobs.fence import (
    NO_IDENTITY_MAP,
    Claim,
    Usage,
    back_to_queue,
    fence_alive,
    fence_any,
    fence_unknown,
    if_cancelled,
    later,
    with_usage,
    write_fenced,
)
from jobs.outbox import enqueue_deliveries


async def retry(
    session: AsyncSession,
    claim: Claim,
    after_seconds: float,
    partial_text: str | None = None,
    usage: Usage = None,
) -> Status:
    """running -> queued, `failures + 1`, not claimed again for `after_seconds`; or cancelled. ClaimLost."""
    values = {"failures": Job.failures + 1, "not_before": later(after_seconds)}
    return await _give_back(session, claim, partial_text, usage, **values)


async def release(
    session: AsyncSession,
    claim: Claim,
    partial_text: str | None = None,
    usage: Usage = None,
    after_seconds: float | None = None,
) -> Status:
    """running -> queued, counted neither as a failure nor as an attempt; or cancelled. ClaimLost."""
    values = {} if after_seconds is None else {"not_before": later(after_seconds)}
    return await _give_back(session, claim, partial_text, usage, attempts=Job.attempts - 1, **values)


def release_unknown(worker: CTE, held: Sequence[Claim]) -> CTE:
    """As `release`, for claims that the worker does not know of because the answer to them was lost."""
    values = back_to_queue() | {"attempts": Job.attempts - 1}
    statement = update(Job).where(fence_unknown(worker, held)).values(values)
    return statement.returning(Job.id, Job.status).cte("released")


async def rescue(session: AsyncSession, claims: Sequence[Claim], charged: bool) -> list[uuid.UUID]:
    """running -> queued for the jobs of a lost worker, `losses + 1` if charged; or cancelled."""
    values = back_to_queue() | {"losses": Job.losses + int(charged)}
    statement = update(Job).where(fence_any(claims)).values(values).returning(Job.id, Job.status)
    rows = (await session.execute(statement, execution_options=NO_IDENTITY_MAP)).all()
    await enqueue_deliveries(session, [row.id for row in rows if row.status == Status.CANCELLED], "cancelled")
    return [row.id for row in rows]


async def _give_back(
    session: AsyncSession, claim: Claim, partial_text: str | None, usage: Usage, **values: Any
) -> Status:
    values |= back_to_queue() | {"partial_text": if_cancelled(partial_text), "usage": with_usage(usage)}
    return await write_fenced(session, fence_alive(claim), values)
