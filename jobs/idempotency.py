"""Idempotency keys: a submit with the same key and body within a day gets the same job and status code.

`jobs.first_saw_end`: whether the first answer showed a finished job (200, else 202); NULL: not answered yet.
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

CONFLICTING = text("""
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
    """Free those keys of these submissions that were used more than a day ago."""
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
    """For submissions that could not be inserted: the result of the row with their id or key, by id.

    The row is their own, from a COMMIT whose answer was lost, or that of the first submit with their key.
    Left out are those whose conflicting row is gone, because its key was freed meanwhile.
    """
    if not submissions:
        return {}
    names = ("id", "tenant_id", "idempotency_key")
    columns = {name: [getattr(s, name) for s in submissions] for name in names}
    rows = {row.asked: row for row in await session.execute(CONFLICTING, columns)}  # Its own comes last.
    return {s.id: _outcome(s, rows[s.id]) for s in submissions if s.id in rows}


def _outcome(submission: Submission, row: Row[Any]) -> Submitted | IdempotencyKeyReused:
    if row.id == submission.id:
        return Submitted(row.id, reused=row.reused)
    if not _is_same(submission, row):
        return IdempotencyKeyReused()
    return Submitted(row.id, replayed=True, first_saw_end=row.reused or row.first_saw_end)


def _is_same(submission: Submission, row: Row[Any]) -> bool:
    """Whether the bodies are equal. Older rows have a hash over the stored request, defaults included."""
    if row.request_mac and submission.request_mac:
        return bool(row.request_mac == submission.request_mac)
    return row.request_hash in (submission.row["request_hash"], digest(submission.row["request"]))


async def answered(session: AsyncSession, job_id: uuid.UUID, saw_end: bool) -> None:
    """Store whether the first answer to this job's key showed it finished, so that replays answer alike."""
    await session.execute(update(Job).where(Job.id == job_id).values(first_saw_end=saw_end))
