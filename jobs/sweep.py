"""sweep: rescue the jobs of lost workers, expire jobs, correct times after a clock step, free old keys."""

from __future__ import annotations

import uuid

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from base.clock import NOW, STATEMENT_NOW
from base.states import Status
from base.tables import Job, Worker
from capacity import worker_starts
from capacity.queue_depth import steady
from jobs import expire, finish, give_back
from jobs.claim import SUSPECT_LOSSES
from jobs.fence import NO_IDENTITY_MAP, Claim
from jobs.retry_policy import QUEUE_DEADLINE, WORKER_LOST

BATCH = 500
LONGEST_LEASES = 4
"""A worker's lease may be configured up to so many times as long as the steward's."""
STEP_BACK = [
    text(f"""
WITH late AS MATERIALIZED (
    SELECT id FROM {table} WHERE {waits} ORDER BY {column} LIMIT 5000 FOR UPDATE SKIP LOCKED
)
UPDATE {table} SET {column} = {column} - make_interval(secs => :seconds)
WHERE id = ANY (ARRAY(SELECT id FROM late))
""")  # noqa: S608 - three constants each
    for table, column, waits in (
        (
            "workers",
            "lease_expires_at",
            "lease_expires_at > clock_timestamp() + make_interval(secs => :seconds)",
        ),
        ("jobs", "not_before", "status = 'queued' AND not_before > statement_timestamp()"),
        (
            "deliveries",
            "next_attempt_at",
            "state = 'pending' AND phase <> 'due' AND next_attempt_at > statement_timestamp()",
        ),
    )
]


async def rescue_one_worker(session: AsyncSession, lease_seconds: float) -> int | None:
    """Rescue the jobs of one worker whose lease has ended. Returns how many, None if there is no such worker.

    The worker's row is locked and the lease checked under the lock, so a heartbeat that came first wins.
    After an outage of PostgreSQL every lease has ended: no worker counts as lost until the stewards have
    been running for `lease_seconds` without a break.
    """
    query = (
        select(Worker.id)
        .where(Worker.lease_expires_at <= NOW, steady(lease_seconds))
        .order_by(Worker.lease_expires_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    worker_id = (await session.execute(query)).scalar_one_or_none()
    if worker_id is None:
        return None
    rescued = await _rescue_jobs(session, worker_id)
    await worker_starts.lost(session, worker_id)
    return rescued


async def _rescue_jobs(session: AsyncSession, worker_id: uuid.UUID) -> int:
    query = (
        select(Job.id, Job.claim_no, Job.losses)
        .where(Job.worker_id == worker_id, Job.status == Status.RUNNING)
        .with_for_update()
    )
    rows = (await session.execute(query)).all()
    suspects = [row for row in rows if row.losses >= SUSPECT_LOSSES]
    for row in suspects:
        claim = Claim(row.id, row.claim_no, worker_id)
        await finish.fail_lost(session, claim, WORKER_LOST.as_error(retryable=True))
    others = [Claim(row.id, row.claim_no, worker_id) for row in rows if row.losses < SUSPECT_LOSSES]
    await give_back.rescue(session, others, charged=not suspects)
    return len(rows)


async def shorten_leases(session: AsyncSession, lease_seconds: float) -> None:
    """Shorten leases that end later than any worker could have set them: the clock has stepped back since.

    They end in `lease_seconds` unless they are renewed.
    """
    longest, lease = (func.make_interval(0, 0, 0, 0, 0, 0, n * lease_seconds) for n in (LONGEST_LEASES, 1))
    late = Worker.lease_expires_at > NOW + longest
    await session.execute(update(Worker).where(late).values(lease_expires_at=NOW + lease))


async def clock_stepped_back(session: AsyncSession, seconds: float) -> None:
    """Move the times of leases, retries and deliveries back by `seconds`, up to 5,000 of each."""
    for statement in STEP_BACK:
        await session.execute(statement, {"seconds": seconds})


async def expire_jobs(session: AsyncSession) -> int:
    """Expire up to a batch of jobs that were not started within their `queue_seconds`. Returns how many."""
    return await expire.expire(session, BATCH, QUEUE_DEADLINE.as_error(retryable=True))


async def forget_idempotency_keys(session: AsyncSession) -> None:
    """Free idempotency keys that are older than 24 hours, a batch of them."""
    day_ago = STATEMENT_NOW - func.make_interval(0, 0, 0, 1)
    old = (
        select(Job.id)
        .where(Job.idempotency_key.is_not(None), Job.created_at < day_ago)
        .order_by(Job.created_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .cte("old")
        .prefix_with("MATERIALIZED")
    )
    forget = update(Job).where(Job.id == old.c.id).values(idempotency_key=None)
    await session.execute(forget, execution_options=NO_IDENTITY_MAP)
