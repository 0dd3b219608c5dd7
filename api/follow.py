"""The jobs that clients of this api follow: one reader of Redis and one query for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Collection, Iterator

from prometheus_client import Gauge

from api.problems import Problem
from api.transcript import Transcript
from base.database import Database
from base.loops import Loops
from jobs.job_state import JobState, job_states
from signals.pubsub import ENDED, Live
from signals.streams import START

RECHECK_SECONDS = 2.0
WAIT_SECONDS = 0.5
PAUSE_SECONDS = 0.05
"""Between two reads, so that many workers' entries are read together."""
AWAY_SECONDS = 1.0
STREAMS_AT_ONCE = 50
OPEN = Gauge("til_event_streams", "Open event streams.")


class Followers:
    """One per api. At most `most` streams are open at once, and `most_per_tenant` of one tenant."""

    def __init__(self, database: Database, live: Live, most: int, most_per_tenant: int) -> None:
        self._database = database
        self._live = live
        self._most = most
        self._most_per_tenant = most_per_tenant
        self._seats: Counter[uuid.UUID] = Counter()
        self._followed: dict[uuid.UUID, tuple[Transcript, set[asyncio.Event]]] = {}
        self._someone = asyncio.Event()
        self._ended: set[uuid.UUID] = set()
        self._nudged = asyncio.Event()
        self._redis_away = False
        self.closing = False

    def start(self, loops: Loops) -> None:
        """Keep the transcripts up to date and wake who follows them, from now on."""
        loops.start("read_streams", self._read, None)
        loops.start("recheck_streams", self._recheck)
        loops.start("check_ended_streams", self._check_ended, None)
        loops.start("hear_ended_streams", lambda: self._live.listen(ENDED, self._heard), None)

    def close(self) -> None:
        """End every stream now; clients come back with `Last-Event-ID`."""
        self.closing = True
        self._wake(self._followed)

    @contextlib.contextmanager
    def seat(self, tenant_id: uuid.UUID) -> Iterator[None]:
        """A place for one stream. Raises Problem when all are taken."""
        soon = {"Retry-After": "5"}
        if self.closing or self._seats.total() >= self._most:
            raise Problem(503, "too_many_streams", "Too many event streams are open here.", None, soon)
        if self._seats[tenant_id] >= self._most_per_tenant:
            raise Problem(429, "rate_limited", "Too many event streams of this tenant are open.", None, soon)
        self._seats[tenant_id] += 1
        OPEN.inc()
        try:
            yield
        finally:
            OPEN.dec()
            self._seats[tenant_id] -= 1
            if not self._seats[tenant_id]:
                del self._seats[tenant_id]

    @contextlib.contextmanager
    def follow(self, job_id: uuid.UUID, state: JobState) -> Iterator[tuple[Transcript, asyncio.Event]]:
        """The job's transcript, shared by all who follow it, and an event that is set when it changes."""
        transcript, followers = self._followed.setdefault(job_id, (Transcript(job_id, state), set()))
        transcript.stands(state)
        woken = asyncio.Event()
        followers.add(woken)
        self._someone.set()
        try:
            yield transcript, woken
        finally:
            followers.discard(woken)
            if not followers:
                del self._followed[job_id]
            if not self._followed:
                self._someone.clear()

    async def catch_up(self, transcript: Transcript) -> None:
        """Read at once what is kept of its text, not only with the next read of all."""
        if not self._redis_away:
            await self._take({transcript.job_id: transcript}, 0)

    async def _read(self) -> None:
        await self._someone.wait()
        transcripts = {job_id: transcript for job_id, (transcript, _) in self._followed.items()}
        if self._redis_away:
            self._redis_away = not await self._take_after_absence(transcripts)
        else:
            self._redis_away = not await self._take(transcripts, WAIT_SECONDS)
        await asyncio.sleep(AWAY_SECONDS if self._redis_away else PAUSE_SECONDS)

    async def _take_after_absence(self, transcripts: dict[uuid.UUID, Transcript]) -> bool:
        """Much may have gathered: read it from a few streams at a time. Whether Redis answered each time.

        A Redis that has lost its streams may number the new ones from below: those are read from their start.
        """
        left = list(transcripts.items())
        while some := dict(left[:STREAMS_AT_ONCE]):
            left = left[STREAMS_AT_ONCE:]
            renumbered = await self._live.text.ahead({job: one.position for job, one in some.items()})
            for job_id in renumbered or ():
                some[job_id].position = START
            if renumbered is None or not await self._take(some, 0):
                return False
        return True

    async def _take(self, transcripts: dict[uuid.UUID, Transcript], wait_seconds: float) -> bool:
        """Whether Redis answered."""
        positions = {job_id: transcript.position for job_id, transcript in transcripts.items()}
        found = await self._live.text.read(positions, wait_seconds)
        if found is None:
            return False
        for job_id, (position, entries) in found.items():
            transcripts[job_id].position = position
            for entry in entries:
                transcripts[job_id].take(entry)
        self._wake(found)
        return True

    def _heard(self, message: str) -> None:
        with contextlib.suppress(ValueError):
            job_id = uuid.UUID(message)
            if job_id in self._followed:
                self._ended.add(job_id)
                self._nudged.set()

    async def _recheck(self) -> None:
        """What was said between a COMMIT and its word may be lost, so all are asked for, in one query."""
        await asyncio.sleep(RECHECK_SECONDS)
        await self._check(list(self._followed))

    async def _check_ended(self) -> None:
        await self._nudged.wait()
        self._nudged.clear()
        heard, self._ended = self._ended, set()
        await self._check(heard)

    async def _check(self, job_ids: Collection[uuid.UUID]) -> None:
        if not job_ids:
            return
        async with self._database.session() as session:
            found = await job_states(session, job_ids)
        followed = {job_id: self._followed[job_id][0] for job_id in job_ids if job_id in self._followed}
        for job_id, transcript in followed.items():
            transcript.gone = job_id not in found
            if transcript.gone or transcript.stands(found[job_id]):
                self._wake([job_id])

    def _wake(self, job_ids: Collection[uuid.UUID]) -> None:
        for job_id in job_ids:
            for woken in self._followed[job_id][1] if job_id in self._followed else ():
                woken.set()
