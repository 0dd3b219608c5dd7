"""Requests that wait for the end of a job (`Prefer: wait`, `?wait=`)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid

from api.job_watch import JobWatch
from base.database import Database
from base.states import ENDINGS
from jobs.job_state import JobState, job_state

MOST_WAITERS = 5_000


class Waiters:
    """One per api process. At most `MOST_WAITERS` requests wait at once."""

    def __init__(self, database: Database, watch: JobWatch) -> None:
        self._database = database
        self._watch = watch
        self._waiting: set[_Waiter] = set()
        self._closing = False

    def close(self) -> None:
        """End every wait: the requests are answered with their jobs as they are."""
        self._closing = True
        for waiter in self._waiting:
            waiter.woken.set()

    async def until_ended(self, tenant_id: uuid.UUID, job_id: uuid.UUID, seconds: float) -> None:
        """Return once the job has ended, or after `seconds`; at once if too many requests wait already or the
        process is ending. Raises NoSuchJob."""
        if self._closing or len(self._waiting) >= MOST_WAITERS:
            return
        waiter = _Waiter()
        self._waiting.add(waiter)
        try:
            with self._watch.watch(job_id, waiter):
                async with self._database.session() as session:
                    waiter.on_state(await job_state(session, tenant_id, job_id))
                if not self._closing:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(waiter.woken.wait(), seconds)
        finally:
            self._waiting.discard(waiter)


class _Waiter:
    """One request."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()

    def on_ended(self) -> None:
        self.woken.set()

    def on_state(self, state: JobState | None) -> None:
        if state is None or state.status in ENDINGS:
            self.woken.set()
