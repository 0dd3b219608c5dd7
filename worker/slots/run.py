"""Runs one job: claim it, write its post outside any transaction, write the outcome under the claim."""

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
    outcome_of_error,
    wants_progress,
)
from worker.slots.reader import RequestReader
from worker.slots.settle import Settler
from worker.writing.write import Generation, Post, note_of, write

log = structlog.get_logger()
BUSY_WAIT_SHARE = 0.5
"""The share of `run_seconds` for which a run may wait for a busy engine; the rest is for writing."""
GRACE_SECONDS = 10.0
"""A stopped run must end within this time. Engines abort a call within a second."""


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
        self._reader = RequestReader(database)
        self._settler = Settler(database, live, reporter, beat, claimer.ring)
        self._settling: set[asyncio.Task[None]] = set()

    async def run_one(self) -> None:
        """Claim a job, if there is one, and return when it has left the engine.

        Its outcome is written in the background, while the slot serves the next doorbell.
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
                self._remove(run)
                raise
            self._in_flight.admission.free(claim)
            settling = asyncio.create_task(self._end(run, outcome, began))
        self._settling.add(settling)
        settling.add_done_callback(self._settled)

    async def _end(self, run: Run, outcome: Outcome, began: float) -> None:
        try:
            await self._settler.settle(run, outcome)
        finally:
            self._remove(run)
            RUN_SECONDS.observe(time.monotonic() - began)

    def _remove(self, run: Run) -> None:
        """Hold the claim no more. If its outcome was not written, the next heartbeat releases the job."""
        self._in_flight.remove(run)
        self._reporter.forget(run.claimed.claim.job_id, run.claimed.claim.claim_no)

    def _settled(self, settling: asyncio.Task[None]) -> None:
        self._settling.discard(settling)
        if not settling.cancelled() and (error := settling.exception()):
            log.error("settling_crashed", exc_info=error)

    async def _write(self, run: Run) -> Outcome:
        """Write the post; errors become outcomes. `run_seconds` counts from the claim."""
        writing = asyncio.create_task(self._read_and_write(run))
        await self._until_ended(run, writing)
        try:
            return writing.result()
        except EngineDead:
            self._die("engine_died")
            run.stop("lost")
            return Stopped()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the outermost frame of a run
            if run.stopped is None:
                return outcome_of_error(error)
            return RUN_DEADLINE if run.stopped == "overdue" else Stopped()

    async def _until_ended(self, run: Run, writing: asyncio.Task[Post]) -> None:
        """Wait for the writing; cancel it when it is stopped or overdue. If it won't end, end the process."""
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
        generation = Generation(
            f"{claim.job_id}:{claim.claim_no}",
            seed,
            claimed.template,
            self._code_tokens,
            run.usage,
            self._in_flight.gate,
            run.began + claimed.run_seconds * BUSY_WAIT_SHARE,
            packing,
        )
        note = note_of(request, self._engine)
        on_progress = self._reporter.start(
            request, claim.job_id, claim.claim_no, note, wants_progress(request)
        )
        admit = partial(self._in_flight.admission.admit, claim)
        return await write(request, self._engine, generation, admit, on_progress)
