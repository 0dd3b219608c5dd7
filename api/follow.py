"""The jobs that clients of this api follow: one reader of Redis for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator

from prometheus_client import Gauge

from api.job_watch import JobWatch
from api.problems import Problem
from api.transcript import Transcript
from base.loops import Loops
from jobs.job_state import JobState
from signals.pubsub import Live
from signals.streams import START

WAIT_SECONDS = 0.5
PAUSE_SECONDS = 0.05
"""Between two reads, so that many workers' entries are read together."""
AWAY_SECONDS = 1.0
STREAMS_AT_ONCE = 50
OPEN = Gauge("til_event_streams", "Open event streams.")


class Followers:
    """One per api. At most `most` streams are open at once, and `most_per_tenant` of one tenant."""

    def __init__(self, watch: JobWatch, live: Live, most: int, most_per_tenant: int) -> None:
        self._watch = watch
        self._live = live
        self._most = most
        self._most_per_tenant = most_per_tenant
        self._seats: Counter[uuid.UUID] = Counter()
        self._followed: dict[uuid.UUID, _Followed] = {}
        self._someone = asyncio.Event()
        self._redis_away = False
        self.closing = False

    def start(self, loops: Loops) -> None:
        """Keep the transcripts' text up to date and wake who follows them, from now on."""
        loops.start("read_streams", self._read, None)

    def close(self) -> None:
        """End every stream now; clients come back with `Last-Event-ID`."""
        self.closing = True
        for followed in self._followed.values():
            followed.wake()

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
        followed = self._followed.get(job_id) or _Followed(Transcript(job_id, state), self._watch)
        self._followed[job_id] = followed
        followed.transcript.stands(state)
        woken = asyncio.Event()
        followed.clients.add(woken)
        self._someone.set()
        try:
            with self._watch.watch(job_id, followed):
                yield followed.transcript, woken
        finally:
            followed.clients.discard(woken)
            if not followed.clients:
                del self._followed[job_id]
            if not self._followed:
                self._someone.clear()

    async def catch_up(self, transcript: Transcript) -> None:
        """Read at once what is kept of its text, not only with the next read of all."""
        if not self._redis_away:
            await self._take({transcript.job_id: transcript}, 0)

    async def _read(self) -> None:
        await self._someone.wait()
        transcripts = {job_id: followed.transcript for job_id, followed in self._followed.items()}
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
            if job_id in self._followed:
                self._followed[job_id].wake()
        return True


class _Followed:
    """One job with its transcript and the clients that follow it."""

    def __init__(self, transcript: Transcript, watch: JobWatch) -> None:
        self.transcript = transcript
        self.clients: set[asyncio.Event] = set()
        self._watch = watch

    def wake(self) -> None:
        """Something has changed."""
        for client in self.clients:
            client.set()

    def heard_ended(self) -> None:
        """Which ending, PostgreSQL must say."""
        self._watch.check_soon(self.transcript.job_id)

    def stands(self, state: JobState | None) -> None:
        """What PostgreSQL says."""
        self.transcript.gone = state is None
        if state is None or self.transcript.stands(state):
            self.wake()
