"""Group commit: requests that arrive while a batch is committing are committed together in the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

from jobs.database import Database, sqlstate
from jobs.errors import DatabaseUnavailable, LockTimeout
from jobs.submission import Submission, Submitted
from jobs.submit import insert_batch

BATCH = 100


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
