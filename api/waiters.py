"""Readers that wait for an ending: woken by Redis, and sure of it by one query every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import defaultdict

from base.database import Database
from base.loops import Loops
from base.states import ENDINGS
from jobs import read
from jobs.job_state import job_state
from signals.pubsub import ENDED, Live

RECHECK_SECONDS = 2.0
MOST_WAITERS = 5_000


class Waiters:
    """One per api: whoever waits for a job's ending shares the query and the subscription."""

    def __init__(self, database: Database, live: Live) -> None:
        self._database = database
        self._live = live
        self._events: defaultdict[uuid.UUID, set[asyncio.Event]] = defaultdict(set)
        self._closing = False

    def start(self, loops: Loops) -> None:
        """Wake the waiters from now on."""
        loops.start("hear_ended", lambda: self._live.listen(ENDED, self._heard), None)
        loops.start("recheck_ended", self._recheck)

    def close(self) -> None:
        """Nobody waits any longer: each is answered with the job as it is."""
        self._closing = True
        for job_id in self._events:
            self._wake(job_id)

    async def until_ended(self, tenant_id: uuid.UUID, job_id: uuid.UUID, seconds: float) -> None:
        """Return when it has ended or time is up; at once when too many wait already or the process is
        about to end. Raises NoSuchJob."""
        if self._closing or len(self._events) >= MOST_WAITERS:
            return
        woken = asyncio.Event()
        self._events[job_id].add(woken)
        try:
            async with self._database.session() as session:
                stands = await job_state(session, tenant_id, job_id)
            if stands.status not in ENDINGS and not self._closing:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), seconds)
        finally:
            self._events[job_id].discard(woken)
            if not self._events[job_id]:
                del self._events[job_id]

    def _heard(self, message: str) -> None:
        with contextlib.suppress(ValueError):
            self._wake(uuid.UUID(message))

    def _wake(self, job_id: uuid.UUID) -> None:
        for event in self._events.get(job_id, ()):
            event.set()

    async def _recheck(self) -> None:
        await asyncio.sleep(RECHECK_SECONDS)
        if self._events:
            async with self._database.session() as session:
                ended = await read.ended(session, list(self._events))
            for job_id in ended:
                self._wake(job_id)
