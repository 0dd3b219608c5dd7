"""Group commit: submissions that arrive while a batch is being stored are stored together in the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter

from sqlalchemy.exc import DBAPIError

from api.submit_queue import QueuedSubmission, SubmitQueue
from base.batcher import Batcher
from base.database import Database, sqlstate
from base.errors import DatabaseUnavailable, LockTimeout
from jobs.submission import Submission, Submitted
from jobs.submit import insert_batch

LARGE_BYTES = 256 * 1024
"""A submission of this size or more is stored with the large ones."""
MOST_WAITING = 10_000
MOST_WAITING_BYTES = 512 * 2**20
Outcome = Submitted | Exception


class Submitter:
    """One per api process. Small and large submissions have separate batches: large ones delay no small one.

    A submission is stored at once when nothing else is being stored.
    """

    def __init__(self, database: Database, most_waiting_bytes: int = MOST_WAITING_BYTES) -> None:
        self._small = _Pipeline(database, most_waiting_bytes)
        self._large = _Pipeline(
            database, most_waiting_bytes, ThreadPoolExecutor(1, thread_name_prefix="rows")
        )

    async def submit(self, submission: Submission) -> Submitted:
        """Return once it is durable. Raises IdempotencyKeyReused, DatabaseUnavailable, TooManyWaiting."""
        size = submission.size_bytes()
        pipeline = self._large if size >= LARGE_BYTES else self._small
        return await pipeline.submit(submission, size)


class _Pipeline:
    """Stores submissions in batches. With a `thread`, rows are built there, off the event loop."""

    def __init__(self, database: Database, most_bytes: int, thread: ThreadPoolExecutor | None = None) -> None:
        self._database = database
        self._thread = thread
        self._batcher: Batcher[QueuedSubmission, Submitted] = Batcher(
            self._store, SubmitQueue(MOST_WAITING, most_bytes)
        )

    async def submit(self, submission: Submission, size_bytes: int) -> Submitted:
        return await self._batcher.add(QueuedSubmission(submission, size_bytes))

    async def _store(self, batch: Sequence[QueuedSubmission]) -> list[Outcome]:
        submissions = [one.submission for one in batch]
        if self._thread:
            loop = asyncio.get_running_loop()
            for submission in submissions:
                await loop.run_in_executor(self._thread, attrgetter("row"), submission)
        return await self._commit(submissions)

    async def _commit(self, batch: Sequence[Submission], again: bool = False) -> list[Outcome]:
        """The outcome of each submission. After a deadlock, and if the outcome of COMMIT is unknown, the same
        rows are inserted again: that waits for the first transaction, and finds its rows or makes them."""
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
        except Exception as error:  # noqa: BLE001 - it is raised to every caller of the batch
            if len(batch) > 1:
                return await self._one_by_one(batch)
            return [error]
        return [found[submission.id] for submission in batch]

    async def _one_by_one(self, batch: Sequence[Submission]) -> list[Outcome]:
        """After a batch has failed because one row is locked by another transaction or is refused: stored
        alone, the others succeed."""
        outcomes = await asyncio.gather(*(self._commit([submission]) for submission in batch))
        return [outcome for (outcome,) in outcomes]


def _is_deadlock(error: DatabaseUnavailable) -> bool:
    return isinstance(error.__cause__, DBAPIError) and sqlstate(error.__cause__) == "40P01"
