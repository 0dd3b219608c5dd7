"""submit: requests that arrive while a batch is committing are committed together in the next one."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.database import Database, sqlstate
from jobs.errors import DatabaseUnavailable, LockTimeout
from jobs.idempotency import forget_old_keys, replayed
from jobs.outbox import post_events
from jobs.states import Status
from jobs.submission import Submission, Submitted
from jobs.tables import Job

BATCH = 100
UNFINISHED = {"status": "queued", "reused": False, "result": None, "usage": None, "provenance": None}


class Submitter:
    """Group commit: one per api process. No delay is added when nothing else is committing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Submission, asyncio.Future[Submitted]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def submit(self, submission: Submission) -> Submitted:
        """Return once the job is durable. Raises IdempotencyKeyReused, DatabaseUnavailable."""
        future: asyncio.Future[Submitted] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, future))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_all())
        return await future

    async def _commit_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            outcomes = await self._commit([submission for submission, _ in batch])
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if future.done():
                    continue
                if isinstance(outcome, Submitted):
                    future.set_result(outcome)
                else:
                    future.set_exception(outcome)

    async def _commit(self, batch: Sequence[Submission], again: bool = False) -> list[Submitted | Exception]:
        """What became of each. Where the outcome of COMMIT is unknown, the same rows are inserted again: that
        waits for the first transaction to end, and finds its rows or makes them. After a deadlock too."""
        committing = False
        try:
            async with self._database.session() as session:
                found = await insert_batch(session, batch)
                committing = True
        except DatabaseUnavailable as error:
            if (committing or _is_deadlock(error)) and not again:
                return await self._commit(batch, again=True)
            if isinstance(error, LockTimeout) and len(batch) > 1:
                return await self._one_by_one(batch)
            return [error] * len(batch)
        except Exception as error:  # noqa: BLE001 - it is handed to every waiting caller, who raises it
            return [error] * len(batch)
        return [found[submission.id] for submission in batch]

    async def _one_by_one(self, batch: Sequence[Submission]) -> list[Submitted | Exception]:
        """Somebody else's open transaction holds one of these keys: the others need not suffer."""
        outcomes = await asyncio.gather(*(self._commit([submission]) for submission in batch))
        return [outcome for (outcome,) in outcomes]


def _is_deadlock(error: DatabaseUnavailable) -> bool:
    return isinstance(error.__cause__, DBAPIError) and sqlstate(error.__cause__) == "40P01"


async def insert_batch(
    session: AsyncSession, batch: Sequence[Submission]
) -> dict[uuid.UUID, Submitted | Exception]:
    """Insert the batch in the order of its keys (or two apis deadlock); what became of each, by its id."""
    ordered = sorted(batch, key=lambda s: (str(s.tenant_id), s.idempotency_key or "", s.id))
    await forget_old_keys(session, ordered)
    rows = {submission.id: submission.row() for submission in ordered}
    reusable = await _results_to_reuse(session, ordered, rows)
    inserted = await _insert(session, [row | reusable.get(i, UNFINISHED) for i, row in rows.items()])
    await post_events(session, [i for i in reusable if i in inserted], Status.SUCCEEDED)
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
    query = (
        select(Job)
        .ext(distinct_on(Job.tenant_id, Job.content_hash))
        .where(
            tuple_(Job.tenant_id, Job.content_hash).in_(list(wanted.values())),
            Job.status == Status.SUCCEEDED,
            Job.erased_at.is_(None),
        )
        .order_by(Job.tenant_id, Job.content_hash, Job.finished_at.desc())
    )
    found = {(job.tenant_id, job.content_hash): job for job in (await session.scalars(query))}
    return {i: _finished(found[key]) for i, key in wanted.items() if key in found}


def _finished(job: Job) -> dict[str, Any]:
    return {
        "status": Status.SUCCEEDED.value,
        "reused": True,
        "result": job.result,
        "usage": {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "calls": 0},
        "provenance": job.provenance,
    }
