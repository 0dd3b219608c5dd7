"""submit: a request becomes a row, many in one statement; keys that were used and results that are reused."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import LargeBinary, Uuid, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from base.states import Status
from base.tables import Job
from jobs.idempotency import forget_old_keys, replayed
from jobs.outbox import enqueue_deliveries
from jobs.submission import Submission, Submitted

UNFINISHED = {"status": "queued", "reused": False, "result": None, "usage": None, "provenance": None}


async def insert_batch(
    session: AsyncSession, batch: Sequence[Submission]
) -> dict[uuid.UUID, Submitted | Exception]:
    """Insert the batch in the order of its keys (or two apis deadlock); what became of each, by its id."""
    ordered = sorted(batch, key=lambda s: (str(s.tenant_id), s.idempotency_key or "", s.id))
    await forget_old_keys(session, ordered)
    rows = {submission.id: submission.row for submission in ordered}
    reusable = await _results_to_reuse(session, ordered, rows)
    inserted = await _insert(session, [row | reusable.get(i, UNFINISHED) for i, row in rows.items()])
    await enqueue_deliveries(session, [i for i in reusable if i in inserted], Status.SUCCEEDED)
    outcomes: dict[uuid.UUID, Submitted | Exception] = {
        i: Submitted(i, reused=i in reusable) for i in inserted
    }
    for submission in ordered:
        if submission.id not in inserted:
            outcomes[submission.id] = await replayed(session, submission, rows[submission.id])
    return outcomes


async def _insert(session: AsyncSession, rows: list[dict[str, Any]]) -> set[uuid.UUID]:
    named = [{("job_metadata" if name == "metadata" else name): v for name, v in row.items()} for row in rows]
    statement = insert(Job).on_conflict_do_nothing().returning(Job.id)
    return set((await session.scalars(statement, named)).all())


async def _results_to_reuse(
    session: AsyncSession, batch: Sequence[Submission], rows: dict[uuid.UUID, dict[str, Any]]
) -> dict[uuid.UUID, dict[str, Any]]:
    wanted = {s.id: (s.tenant_id, rows[s.id]["content_hash"]) for s in batch if s.request.reuse}
    if not wanted:
        return {}
    ids, tenants, hashes = zip(*((i, *key) for i, key in wanted.items()), strict=True)
    arrays = (literal(ids, ARRAY(Uuid)), literal(tenants, ARRAY(Uuid)), literal(hashes, ARRAY(LargeBinary)))
    columns = ("id", "tenant_id", "content_hash")
    asked = func.unnest(*arrays).table_valued(*columns).render_derived(name="asked")
    newest = (
        select(Job.result, Job.provenance)
        .where(Job.tenant_id == asked.c.tenant_id, Job.content_hash == asked.c.content_hash)
        .where(Job.status == Status.SUCCEEDED, Job.erased_at.is_(None))
        .order_by(Job.finished_at.desc())
        .limit(1)
        .lateral()
    )
    query = select(asked.c.id, newest).select_from(asked.join(newest, true()))
    return {i: _finished(*found) for i, *found in await session.execute(query)}


def _finished(result: dict[str, Any], provenance: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "status": Status.SUCCEEDED.value,
        "reused": True,
        "result": result,
        "usage": {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "calls": 0},
        "provenance": provenance,
    }
