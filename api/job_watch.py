"""Watches the jobs that requests wait for or follow: one subscription, and one regular query, for all."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Protocol

from base.database import Database
from base.loops import Loops
from jobs.job_state import JobState, job_states
from signals.pubsub import ENDED, Live

RECHECK_SECONDS = 2.0


class Watcher(Protocol):
    """Called back about one job."""

    def on_ended(self) -> None:
        """A message in Redis says that the job has ended; PostgreSQL was not asked yet."""

    def on_state(self, state: JobState | None) -> None:
        """The job's state in PostgreSQL; None: the job is gone."""


class JobWatch:
    """One per api process. Messages may be lost between COMMIT and publish, so jobs are also polled."""

    def __init__(self, database: Database, live: Live) -> None:
        self._database = database
        self._live = live
        self._watchers: dict[uuid.UUID, Counter[Watcher]] = {}
        self._to_check: set[uuid.UUID] = set()
        self._asked = asyncio.Event()

    def start(self, loops: Loops) -> None:
        """Start to call the watchers."""
        loops.start("hear_ended", lambda: self._live.listen(ENDED, self._heard), None)
        loops.start("recheck_jobs", self._recheck)
        loops.start("check_jobs", self._check_asked, None)

    @contextlib.contextmanager
    def watch(self, job_id: uuid.UUID, watcher: Watcher) -> Iterator[None]:
        """Call this watcher about the job during the block. Blocks with the same watcher may overlap."""
        watchers = self._watchers.setdefault(job_id, Counter())
        watchers[watcher] += 1
        try:
            yield
        finally:
            watchers[watcher] -= 1
            if not watchers[watcher]:
                del watchers[watcher]
            if not watchers:
                del self._watchers[job_id]

    def check_soon(self, job_id: uuid.UUID) -> None:
        """Read the job's state now, in one query with other such jobs."""
        self._to_check.add(job_id)
        self._asked.set()

    def _heard(self, message: str) -> None:
        with contextlib.suppress(ValueError):
            for watcher in tuple(self._watchers.get(uuid.UUID(message), ())):
                watcher.on_ended()

    async def _recheck(self) -> None:
        await asyncio.sleep(RECHECK_SECONDS)
        await self._check(list(self._watchers))

    async def _check_asked(self) -> None:
        await self._asked.wait()
        self._asked.clear()
        asked, self._to_check = self._to_check, set()
        await self._check(asked)

    async def _check(self, job_ids: Collection[uuid.UUID]) -> None:
        if not job_ids:
            return
        async with self._database.session() as session:
            found = await job_states(session, job_ids)
        for job_id in job_ids:
            for watcher in tuple(self._watchers.get(job_id, ())):
                watcher.on_state(found.get(job_id))
