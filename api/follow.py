"""The jobs whose event streams are open in this api process; one loop reads Redis for all of them."""

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
"""How long one read waits for entries."""
PAUSE_SECONDS = 0.05
"""Between two reads, so that one read gets the entries of many workers."""
AWAY_SECONDS = 1.0
"""Between two reads while Redis doesn't answer."""
STREAMS_AT_ONCE = 50
OPEN = Gauge("til_event_streams", "Open event streams.")


class Followers:
    """One per api process. At most `most` streams are open at once, and `most_per_tenant` of one tenant."""

    def __init__(self, watch: JobWatch, live: Live, most: int, most_per_tenant: int) -> None:
        self._watch = watch
        self._live = live
        self._most = most
        self._most_per_tenant = most_per_tenant
        self._open: Counter[uuid.UUID] = Counter()
        self._followed: dict[uuid.UUID, _Followed] = {}
        self._any_followed = asyncio.Event()
        self._redis_away = False
        self.closing = False

    def start(self, loops: Loops) -> None:
        """Start to read entries into the transcripts, and to wake the clients that follow them."""
        loops.start("read_streams", self._read, None)

    def close(self) -> None:
        """End every stream now; clients reconnect with `Last-Event-ID`."""
        self.closing = True
        for followed in self._followed.values():
            followed.wake()

    @contextlib.contextmanager
    def admit(self, tenant_id: uuid.UUID) -> Iterator[None]:
        """Count one open stream during the block. Raises Problem if there are too many."""
        soon = {"Retry-After": "5"}
        if self.closing or self._open.total() >= self._most:
            raise Problem(503, "too_many_streams", "Too many event streams are open here.", None, soon)
        if self._open[tenant_id] >= self._most_per_tenant:
            raise Problem(429, "rate_limited", "Too many event streams of this tenant are open.", None, soon)
        self._open[tenant_id] += 1
        OPEN.inc()
        try:
            yield
        finally:
            OPEN.dec()
            self._open[tenant_id] -= 1
            if not self._open[tenant_id]:
                del self._open[tenant_id]

    @contextlib.contextmanager
    def follow(self, job_id: uuid.UUID, state: JobState) -> Iterator[tuple[Transcript, asyncio.Event]]:
        """The job's transcript, shared by all who follow it, and an event that is set when it changes."""
        followed = self._followed.get(job_id) or _Followed(Transcript(job_id, state), self._watch)
        self._followed[job_id] = followed
        followed.transcript.update_state(state)
        woken = asyncio.Event()
        followed.clients.add(woken)
        self._any_followed.set()
        try:
            with self._watch.watch(job_id, followed):
                yield followed.transcript, woken
        finally:
            followed.clients.discard(woken)
            if not followed.clients:
                del self._followed[job_id]
            if not self._followed:
                self._any_followed.clear()

    async def catch_up(self, transcript: Transcript) -> None:
        """Read the stored entries of this job now, without waiting for the next read of all jobs."""
        if not self._redis_away:
            await self._take({transcript.job_id: transcript}, 0)

    async def _read(self) -> None:
        await self._any_followed.wait()
        transcripts = {job_id: followed.transcript for job_id, followed in self._followed.items()}
        if self._redis_away:
            self._redis_away = not await self._take_after_outage(transcripts)
        else:
            self._redis_away = not await self._take(transcripts, WAIT_SECONDS)
        await asyncio.sleep(AWAY_SECONDS if self._redis_away else PAUSE_SECONDS)

    async def _take_after_outage(self, transcripts: dict[uuid.UUID, Transcript]) -> bool:
        """As `_take`, a few streams at a time, as many entries may have gathered. Whether Redis answered.

        A Redis that has lost its data may give new entries lower ids than the last ones that were read: such
        streams are read from their start.
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
        """Add the new entries of these jobs to their transcripts. Whether Redis answered."""
        positions = {job_id: transcript.position for job_id, transcript in transcripts.items()}
        found = await self._live.text.read(positions, wait_seconds)
        if found is None:
            return False
        for job_id, (position, entries) in found.items():
            transcripts[job_id].position = position
            for entry in entries:
                transcripts[job_id].add(entry)
            if job_id in self._followed:
                self._followed[job_id].wake()
        return True


class _Followed:
    """A watcher of one job, with the transcript and the clients that follow it."""

    def __init__(self, transcript: Transcript, watch: JobWatch) -> None:
        self.transcript = transcript
        self.clients: set[asyncio.Event] = set()
        self._watch = watch

    def wake(self) -> None:
        """The transcript has changed."""
        for client in self.clients:
            client.set()

    def on_ended(self) -> None:
        """Redis doesn't say how it ended: PostgreSQL is asked."""
        self._watch.check_soon(self.transcript.job_id)

    def on_state(self, state: JobState | None) -> None:
        """The state in PostgreSQL; None: the job is gone."""
        self.transcript.gone = state is None
        if state is None or self.transcript.update_state(state):
            self.wake()
