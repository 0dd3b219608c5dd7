"""Idempotency keys: the same key and body within a day are the same job, and get the first status code.

`jobs.first_saw_end`: whether the key's first answer showed the job ended; NULL while none has been given.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Text, Uuid, func, literal, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from base.clock import NOW
from base.errors import IdempotencyKeyReused
from base.tables import Job
from jobs.fence import NO_IDENTITY_MAP
from jobs.fingerprint import digest
from jobs.submission import Submission, Submitted

IN_THE_WAY = text("""
SELECT asked.id AS asked, found.*
FROM unnest(CAST(:id AS uuid[]), CAST(:tenant_id AS uuid[]), CAST(:idempotency_key AS text[]))
    AS asked (id, tenant_id, key) CROSS JOIN LATERAL (
    SELECT id, request_hash, request_mac, reused, first_saw_end FROM jobs WHERE id = asked.id
    UNION ALL
    SELECT id, request_hash, request_mac, reused, first_saw_end FROM jobs
    WHERE tenant_id = asked.tenant_id AND idempotency_key = asked.key AND id <> asked.id
) AS found ORDER BY found.id <> asked.id DESC
""")


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
    session: AsyncSession, submissions: Sequence[Submission]
) -> dict[uuid.UUID, Submitted | IdempotencyKeyReused]:
    """The row in the way of each is this very one, from a COMMIT whose outcome was unknown, or its key's
    first. Left out: where there is none any more, since the key has been forgotten meanwhile."""
    if not submissions:
        return {}
    names = ("id", "tenant_id", "idempotency_key")
    columns = {name: [getattr(s, name) for s in submissions] for name in names}
    rows = {row.asked: row for row in await session.execute(IN_THE_WAY, columns)}  # Its own comes last.
    return {s.id: _outcome(s, rows[s.id]) for s in submissions if s.id in rows}


def _outcome(submission: Submission, row: Row[Any]) -> Submitted | IdempotencyKeyReused:
    if row.id == submission.id:
        return Submitted(row.id, reused=row.reused)
    if not _is_same(submission, row):
        return IdempotencyKeyReused()
    return Submitted(row.id, replayed=True, first_saw_end=row.reused or row.first_saw_end)


def _is_same(submission: Submission, row: Row[Any]) -> bool:
    """Also where the first came before hashes left out defaults: then its hash is that of what is stored."""
    if row.request_mac and submission.request_mac:
        return bool(row.request_mac == submission.request_mac)
    return row.request_hash in (submission.row["request_hash"], digest(submission.row["request"]))


async def answered(session: AsyncSession, job_id: uuid.UUID, saw_end: bool) -> None:
    """Keep what the first answer to this job's Idempotency-Key shows, for replays to show the same."""
    await session.execute(update(Job).where(Job.id == job_id).values(first_saw_end=saw_end))
