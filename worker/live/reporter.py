"""Publishes progress and text of all running jobs to Redis."""

from __future__ import annotations

import asyncio
import time
import uuid

from signals.pubsub import Live
from signals.streams import StreamUpdate
from til.request import TilRequest
from worker.live.markdown import LiveMarkdown
from worker.live.stream_state import StreamState
from worker.metrics import TokenRate
from worker.writing.progress import OnProgress, Progress

TICK_SECONDS = 0.25


class LiveReporter:
    """Collects what the worker's runs report, and publishes it four times a second in one round trip."""

    def __init__(self, live: Live, rate: TokenRate) -> None:
        self._live = live
        self._rate = rate
        self._runs: dict[uuid.UUID, _Run] = {}

    def start(
        self, request: TilRequest, job_id: uuid.UUID, claim_no: int, note: str | None, webhook: bool
    ) -> OnProgress:
        """Begin with a run's text from nothing; returns the callback for its progress.

        `webhook`: its progress is to be sent by webhook too.
        """
        run = self._runs[job_id] = _Run(request, job_id, claim_no, note, webhook)
        return run.report

    def partial_text(self, job_id: uuid.UUID) -> str | None:
        """The markdown that the run has written so far, if any."""
        run = self._runs.get(job_id)
        return run.text() if run else None

    def seconds(self, job_id: uuid.UUID) -> float:
        """How long the run has lasted."""
        run = self._runs.get(job_id)
        return time.monotonic() - run.began if run else 0.0

    def forget(self, job_id: uuid.UUID, claim_no: int) -> None:
        """The run is over; readers get its result from the job itself."""
        run = self._runs.get(job_id)
        if run and run.claim_no == claim_no:
            del self._runs[job_id]
            self._rate.add(run.read())

    async def next_tick(self) -> None:
        """Pause, then publish."""
        await asyncio.sleep(TICK_SECONDS)
        await self.tick(time.monotonic())

    async def tick(self, now: float) -> None:
        """Publish what is new. A run whose update was lost publishes its whole text with the next one."""
        runs = list(self._runs.values())
        for run in runs:
            self._rate.add(run.read())
        updates = [one for run in runs if (one := run.update(now))]
        for job_id in await self._live.text.publish(updates) if updates else ():
            if job_id in self._runs:
                self._runs[job_id].stream.mark_lost()


class _Run:
    """One run: what its engine has reported since the last tick, and the markdown made of it so far."""

    def __init__(
        self, request: TilRequest, job_id: uuid.UUID, claim_no: int, note: str | None, webhook: bool
    ) -> None:
        self.began = time.monotonic()
        self.claim_no = claim_no
        self.stream = StreamState(job_id, claim_no)
        self._request, self._note, self._webhook = request, note, webhook
        self._markdown = LiveMarkdown(request, note)
        self._unread: list[Progress] = []
        self._latest: Progress | None = None
        self._shown: Progress | None = None
        self._counted_tokens = 0

    def report(self, progress: Progress) -> None:
        """Called for each piece of text, so it only stores it."""
        self._latest = progress
        if progress.text or progress.anew:
            self._unread.append(progress)

    def read(self) -> int:
        """Turn what was reported into markdown. Returns the number of tokens since the last time."""
        deltas: list[str] = []
        for report in self._unread:
            if report.anew:
                self._markdown, deltas = LiveMarkdown(self._request, self._note), []
                self.stream.begin_anew()
            deltas.append(report.text)
        self._unread = []
        if text := self._markdown.feed("".join(deltas)):
            self.stream.add(text)
        before = self._counted_tokens
        self._counted_tokens = self._latest.completion_tokens if self._latest else 0
        return self._counted_tokens - before

    def update(self, now: float) -> StreamUpdate | None:
        """What is to be published now, if anything."""
        if self._latest is self._shown and not self.stream.due(now):
            return None
        self._shown = self._latest
        return self.stream.update(self._latest, self._webhook and self._latest is not None, now)

    def text(self) -> str | None:
        """The markdown so far, if any; it may end in the middle of a sentence."""
        self.read()
        return text.rstrip() + "\n" if (text := self.stream.text()) else None
