"""Group commit: requests that arrive while a group is being stored are stored together in the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter

from sqlalchemy.exc import DBAPIError

from api.waiting_room import Waiting, WaitingRoom
from base.batcher import Batcher
from base.database import Database, sqlstate
from base.errors import DatabaseUnavailable, LockTimeout
from jobs.submission import Submission, Submitted
from jobs.submit import insert_batch

LARGE_BYTES = 256 * 1024
"""A submission from this size on goes the way of the large ones."""
MOST_WAITING = 10_000
MOST_WAITING_BYTES = 512 * 2**20
Outcome = Submitted | Exception


class Submitter:
    """One per api process: a way for small submissions, and one for large ones, which delay no small one.

    No delay is added when nothing else is being stored.
    """

    def __init__(self, database: Database, most_waiting_bytes: int = MOST_WAITING_BYTES) -> None:
        self._small = _Way(database, most_waiting_bytes)
        self._large = _Way(database, most_waiting_bytes, ThreadPoolExecutor(1, thread_name_prefix="rows"))

    async def submit(self, submission: Submission) -> Submitted:
        """Return once it is durable. Raises IdempotencyKeyReused, DatabaseUnavailable, TooManyWaiting."""
        size = submission.size_bytes()
        way = self._large if size >= LARGE_BYTES else self._small
        return await way.submit(submission, size)


class _Way:
    """Stores what waits, group by group. Large rows are made in the `thread`, off the event loop."""

    def __init__(self, database: Database, most_bytes: int, thread: ThreadPoolExecutor | None = None) -> None:
        self._database = database
        self._thread = thread
        self._batcher: Batcher[Waiting, Submitted] = Batcher(
            self._store, WaitingRoom(MOST_WAITING, most_bytes)
        )

    async def submit(self, submission: Submission, size_bytes: int) -> Submitted:
        return await self._batcher.add(Waiting(submission, size_bytes))

    async def _store(self, group: Sequence[Waiting]) -> list[Outcome]:
        submissions = [one.submission for one in group]
        if self._thread:
            loop = asyncio.get_running_loop()
            for submission in submissions:
                await loop.run_in_executor(self._thread, attrgetter("row"), submission)
        return await self._commit(submissions)

    async def _commit(self, group: Sequence[Submission], again: bool = False) -> list[Outcome]:
        """What became of each. Where the outcome of COMMIT is unknown, the same rows are inserted again: that
        waits for the first transaction to end, and finds its rows or makes them. After a deadlock too."""
        committing = False
        try:
            async with self._database.session() as session:
                found = await insert_batch(session, group)
                committing = True
        except DatabaseUnavailable as error:
            if (committing or _is_deadlock(error)) and not again:
                return await self._commit(group, again=True)
            if isinstance(error, LockTimeout) and len(group) > 1:
                return await self._one_by_one(group)
            return [error] * len(group)
        except Exception as error:  # noqa: BLE001 - it is handed to every waiting caller, who raises it
            if len(group) > 1:
                return await self._one_by_one(group)
            return [error]
        return [found[submission.id] for submission in group]

    async def _one_by_one(self, group: Sequence[Submission]) -> list[Outcome]:
        """Somebody else's open transaction holds one of these keys, or one can't be stored at all: the others
        need not suffer."""
        outcomes = await asyncio.gather(*(self._commit([submission]) for submission in group))
        return [outcome for (outcome,) in outcomes]


def _is_deadlock(error: DatabaseUnavailable) -> bool:
    return isinstance(error.__cause__, DBAPIError) and sqlstate(error.__cause__) == "40P01"
