"""One doorbell: claim a job, write its post outside any transaction, finish it under its claim."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from base.database import Database
from base.errors import ClaimLost
from jobs.retry_policy import RUN_DEADLINE
from signals.pubsub import Live
from til.request import TilRequest
from worker.engines import Engine, EngineDead
from worker.live.reporter import LiveReporter
from worker.metrics import DOORBELLS_IGNORED, QUEUE_SECONDS, RUN_SECONDS
from worker.slots.claimer import Claimer
from worker.slots.in_flight import InFlight, Run
from worker.slots.outcome import (
    Outcome,
    Stopped,
    wants_progress,
    why_it_failed,
)
from worker.slots.reader import Reader
from worker.slots.settle import Settler
from worker.writing.write import Generation, Post, note_of, write

log = structlog.get_logger()
PATIENCE = 0.5
"""Of a run's seconds, how many it may wait for a busy engine; the rest is for writing."""
GRACE_SECONDS = 10.0
"""For a run to end once it is to be stopped. Engines abort a call within a second."""


class Runner:
    """Runs jobs for the slots of one worker on its one engine."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        live: Live,
        in_flight: InFlight,
        claimer: Claimer,
        reporter: LiveReporter,
        beat: Callable[[], Awaitable[bool]],
        die: Callable[[str], None],
        code_tokens: int,
    ) -> None:
        self._engine = engine
        self._in_flight = in_flight
        self._claimer = claimer
        self._reporter = reporter
        self._die = die
        self._code_tokens = code_tokens
        self._reader = Reader(database)
        self._settler = Settler(database, live, reporter, beat, claimer.ring)
        self._settling: set[asyncio.Task[None]] = set()

    async def run_one(self) -> None:
        """Serve one doorbell until the job that it brings has left the engine, if it brings one.

        What came of it is written down while the slot already serves the next doorbell.
        """
        run = await self._claimer.next()
        if run is None:
            DOORBELLS_IGNORED.labels("no_job").inc()
            return
        claim = run.claimed.claim
        if run.claimed.attempts == 1:
            QUEUE_SECONDS.observe(run.claimed.waited_seconds)
        began = time.monotonic()
        with structlog.contextvars.bound_contextvars(job_id=str(claim.job_id), claim_no=claim.claim_no):
            try:
                outcome = await self._write(run)
            except BaseException:
                self._drop(run)
                raise
            self._in_flight.admission.free(claim)
            settling = asyncio.create_task(self._end(run, outcome, began))
        self._settling.add(settling)
        settling.add_done_callback(self._settled)

    async def _end(self, run: Run, outcome: Outcome, began: float) -> None:
        try:
            await self._settler.settle(run, outcome)
        finally:
            self._drop(run)
            RUN_SECONDS.observe(time.monotonic() - began)

    def _drop(self, run: Run) -> None:
        """The claim is held no more; unless its outcome is written, the next heartbeat releases it."""
        self._in_flight.drop(run)
        self._reporter.forget(run.claimed.claim.job_id, run.claimed.claim.claim_no)

    def _settled(self, settling: asyncio.Task[None]) -> None:
        self._settling.discard(settling)
        if not settling.cancelled() and (error := settling.exception()):
            log.error("settling_crashed", exc_info=error)

    async def _write(self, run: Run) -> Outcome:
        """The post, or why there is none. `run_seconds` counts from the claim."""
        writing = asyncio.create_task(self._read_and_write(run))
        await self._until_ended(run, writing)
        try:
            return writing.result()
        except EngineDead:
            self._die("engine_died")
            run.stop("lost")
            return Stopped()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a run's outermost: charged
            if run.stopped is None:
                return why_it_failed(error)
            return RUN_DEADLINE if run.stopped == "overdue" else Stopped()

    async def _until_ended(self, run: Run, writing: asyncio.Task[Post]) -> None:
        """Wait for the writing; end it when it is stopped or overdue. If it won't end, the process does."""
        stopping = asyncio.create_task(run.stopping.wait())
        limit = run.claimed.run_seconds
        await asyncio.wait({writing, stopping}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not writing.done():
            run.stop("overdue")
            writing.cancel()
            await asyncio.wait({writing}, timeout=GRACE_SECONDS)
        if not writing.done():
            self._die("run_overstayed")
            await asyncio.wait({writing})

    async def _read_and_write(self, run: Run) -> Post:
        try:
            async with self._reader.request(run.claimed.claim) as (request, packing):
                return await self._post(run, request, packing)
        except ClaimLost:
            run.stop("lost")
            raise

    async def _post(self, run: Run, request: TilRequest, packing: asyncio.Semaphore) -> Post:
        claimed, claim = run.claimed, run.claimed.claim
        seed = random.getrandbits(31) if request.options.seed is None else request.options.seed
        attempt = Generation(
            f"{claim.job_id}:{claim.claim_no}",
            seed,
            claimed.template,
            self._code_tokens,
            run.spent,
            self._in_flight.gate,
            run.began + claimed.run_seconds * PATIENCE,
            packing,
        )
        note = note_of(request, self._engine)
        told = self._reporter.of(request, claim.job_id, claim.claim_no, note, wants_progress(request))
        admit = partial(self._in_flight.admission.admit, claim)
        return await write(request, self._engine, attempt, admit, told)
