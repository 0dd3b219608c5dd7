"""Idempotency keys: the same key and body within a day are the same job, and get the first status code.

`jobs.first_saw_end`: whether the key's first answer showed the job ended; NULL while none has been given.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Text, Uuid, and_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from base.clock import NOW
from base.errors import IdempotencyKeyReused
from base.tables import Job
from jobs.fence import NO_IDENTITY_MAP
from jobs.submission import Submission, Submitted


async def forget_old_keys(session: AsyncSession, batch: Sequence[Submission]) -> None:
    """The keys of these submissions that are older than a day are free again."""
    pairs = [(s.tenant_id, s.idempotency_key) for s in batch if s.idempotency_key]
    if not pairs:
        return
    day_ago = NOW - func.make_interval(0, 0, 0, 1)
    tenants, keys = zip(*pairs, strict=True)
    arrays = func.unnest(literal(tenants, ARRAY(Uuid)), literal(keys, ARRAY(Text)))
    used = arrays.table_valued("tenant_id", "key").render_derived(name="used")
    old = (
        update(Job)
        .where(Job.tenant_id == used.c.tenant_id, Job.idempotency_key == used.c.key, Job.created_at < day_ago)
        .values(idempotency_key=None)
    )
    await session.execute(old, execution_options=NO_IDENTITY_MAP)


async def replayed(
    session: AsyncSession, submission: Submission, inserting: dict[str, Any]
) -> Submitted | IdempotencyKeyReused | None:
    """The row in the way is this very one, from a COMMIT whose outcome was unknown, or the key's first.

    None: there is none any more, since the key has been forgotten meanwhile.
    """
    in_the_way = Job.id == submission.id
    if submission.idempotency_key is not None:
        key = and_(Job.tenant_id == submission.tenant_id, Job.idempotency_key == submission.idempotency_key)
        in_the_way = or_(in_the_way, key)
    query = select(Job.id, Job.request_hash, Job.request_mac, Job.reused, Job.first_saw_end).where(in_the_way)
    own_first = query.order_by((Job.id == submission.id).desc()).limit(1)
    row = (await session.execute(own_first)).one_or_none()
    if row is None:
        return None
    if row.id == submission.id:
        return Submitted(row.id, reused=row.reused)
    by = "request_mac" if row.request_mac and submission.request_mac else "request_hash"
    if getattr(row, by) != inserting[by]:
        return IdempotencyKeyReused()
    return Submitted(row.id, replayed=True, first_saw_end=row.reused or row.first_saw_end)


async def answered(session: AsyncSession, job_id: uuid.UUID, saw_end: bool) -> None:
    """Keep what the first answer to this job's Idempotency-Key shows, for replays to show the same."""
    await session.execute(update(Job).where(Job.id == job_id).values(first_saw_end=saw_end))
