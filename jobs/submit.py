"""submit: inserts a batch of requests as jobs, in one statement, and handles used keys and reused results."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import LargeBinary, Text, Uuid, cast, func, literal, select, text, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from base.database import JsonText, as_json
from base.errors import DatabaseUnavailable
from base.states import Status
from base.tables import Job
from jobs.idempotency import forget_old_keys, replayed
from jobs.outbox import enqueue_deliveries
from jobs.submission import Submission, Submitted

UNFINISHED = {"status": "queued", "reused": False, "result": None, "usage": None, "provenance": None}
JSON = {"request", "metadata", "redactions", "result", "usage", "provenance"}
ROUNDS = 3
"""A conflicting key may be freed between the insert and the look at its row: then it is inserted again."""

INSERT = text("""
INSERT INTO jobs (id, tenant_id, status, reused, model, priority, queue_seconds, run_seconds, username, repo,
    date, language, request, request_hash, request_mac, first_saw_end, content_hash, idempotency_key,
    webhook_url, webhook_events, metadata, tokens, template, replay_of, redactions, result, usage, provenance)
SELECT id, tenant_id, status, reused, model, priority, queue_seconds, run_seconds, username, repo,
    date, language, request, request_hash, request_mac, first_saw_end, content_hash, idempotency_key,
    webhook_url, string_to_array(webhook_events, ','), metadata, tokens, template, replay_of, redactions,
    result, usage, provenance
FROM unnest(
    CAST(:id AS uuid[]), CAST(:tenant_id AS uuid[]), CAST(:status AS text[]), CAST(:reused AS boolean[]),
    CAST(:model AS text[]), CAST(:priority AS integer[]), CAST(:queue_seconds AS integer[]),
    CAST(:run_seconds AS integer[]), CAST(:username AS text[]), CAST(:repo AS text[]), CAST(:date AS date[]),
    CAST(:language AS text[]), CAST(:request AS jsonb[]), CAST(:request_hash AS bytea[]),
    CAST(:request_mac AS bytea[]), CAST(:first_saw_end AS boolean[]), CAST(:content_hash AS bytea[]),
    CAST(:idempotency_key AS text[]), CAST(:webhook_url AS text[]), CAST(:webhook_events AS text[]),
    CAST(:metadata AS jsonb[]), CAST(:tokens AS integer[]), CAST(:template AS text[]),
    CAST(:replay_of AS uuid[]), CAST(:redactions AS jsonb[]), CAST(:result AS jsonb[]),
    CAST(:usage AS jsonb[]), CAST(:provenance AS jsonb[])
) WITH ORDINALITY AS row (id, tenant_id, status, reused, model, priority, queue_seconds, run_seconds,
    username, repo, date, language, request, request_hash, request_mac, first_saw_end, content_hash,
    idempotency_key, webhook_url, webhook_events, metadata, tokens, template, replay_of, redactions,
    result, usage, provenance, place)
ORDER BY place
ON CONFLICT DO NOTHING RETURNING id
""")
"""An array for each column, so that a batch is always one and the same statement."""


async def insert_batch(
    session: AsyncSession, batch: Sequence[Submission]
) -> dict[uuid.UUID, Submitted | Exception]:
    """Insert the batch, sorted by key so that two apis don't deadlock. Returns each one's result by id."""
    left = sorted(batch, key=lambda s: (str(s.tenant_id), s.idempotency_key or "", s.id))
    await forget_old_keys(session, left)
    outcomes: dict[uuid.UUID, Submitted | Exception] = {}
    for _ in range(ROUNDS):
        outcomes |= await _insert_or_find(session, left)
        left = [submission for submission in left if submission.id not in outcomes]
        if not left:
            break
    return outcomes | {submission.id: DatabaseUnavailable() for submission in left}


async def _insert_or_find(
    session: AsyncSession, ordered: Sequence[Submission]
) -> dict[uuid.UUID, Submitted | Exception]:
    """Each one's result by id; without those that were neither inserted nor have a conflicting row now."""
    rows = {submission.id: submission.row for submission in ordered}
    reusable = await _results_to_reuse(session, ordered, rows)
    inserted = await _insert(session, [row | reusable.get(i, UNFINISHED) for i, row in rows.items()])
    await enqueue_deliveries(session, [i for i in reusable if i in inserted], Status.SUCCEEDED)
    made = {i: Submitted(i, reused=i in reusable) for i in inserted}
    return {**made, **await replayed(session, [one for one in ordered if one.id not in inserted])}


async def _insert(session: AsyncSession, rows: list[dict[str, Any]]) -> set[uuid.UUID]:
    columns = {name: [_sent(name, row[name]) for row in rows] for name in rows[0]}
    return set((await session.scalars(INSERT, columns)).all())


def _sent(name: str, value: Any) -> Any:
    """A value as `INSERT` takes it: `webhook_events` as text, since PostgreSQL's arrays can't be ragged."""
    if value is None:
        return None
    if name in JSON:
        return as_json(value)
    return ",".join(value) if name == "webhook_events" else value


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
        select(cast(Job.result, Text).label("result"), cast(Job.provenance, Text).label("provenance"))
        .where(Job.tenant_id == asked.c.tenant_id, Job.content_hash == asked.c.content_hash)
        .where(Job.status == Status.SUCCEEDED, Job.erased_at.is_(None))
        .order_by(Job.finished_at.desc())
        .limit(1)
        .lateral()
    )
    query = select(asked.c.id, newest).select_from(asked.join(newest, true()))
    return {i: _finished(*found) for i, *found in await session.execute(query)}


def _finished(result: str, provenance: str | None) -> dict[str, Any]:
    return {
        "status": Status.SUCCEEDED.value,
        "reused": True,
        "result": JsonText(result),
        "usage": {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "calls": 0},
        "provenance": None if provenance is None else JsonText(provenance),
    }
