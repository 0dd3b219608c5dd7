"""One doorbell: claim a job, write its post outside any transaction, finish it under its claim."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from jobs import transitions
from jobs.database import Database
from jobs.errors import ClaimLost, DatabaseUnavailable
from jobs.live import DELIVERIES, ENDED, Live
from jobs.meter import FINISHED
from jobs.policy import RUN_DEADLINE, Failure, GiveUp, Retry, after_failure
from jobs.request import TilRequest
from jobs.states import ENDINGS, Status
from worker.claimer import Claimer
from worker.engines import Engine, EngineDead, EngineFailed, EngineTimeout
from worker.holdings import Holdings, Run
from worker.meter import DOORBELLS_IGNORED, QUEUE_SECONDS, RUN_SECONDS, TOKENS
from worker.prompt import InputTooLarge
from worker.schema import InvalidOutput
from worker.watch import Watch
from worker.write import Attempt, Post, note_of, write

log = structlog.get_logger()


@dataclass(frozen=True)
class Stopped:
    """The writing was ended from outside: cancelled, lost or drained."""


Outcome = Post | Failure | Stopped


class Runner:
    """Runs jobs for the slots of one worker on its one engine."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        live: Live,
        holdings: Holdings,
        claimer: Claimer,
        watch: Watch,
        beat: Callable[[], Awaitable[None]],
        engine_died: Callable[[], None],
        code_tokens: int,
    ) -> None:
        self._database = database
        self._engine = engine
        self._live = live
        self._holdings = holdings
        self._claimer = claimer
        self._watch = watch
        self._beat = beat
        self._engine_died = engine_died
        self._code_tokens = code_tokens

    async def run_one(self) -> None:
        """Serve one doorbell to the end of the job that it brings, if it brings one."""
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
                await self._settle(run, outcome)
            finally:
                self._holdings.drop(run)
                self._watch.forget(claim.job_id, claim.claim_no)
                RUN_SECONDS.observe(time.monotonic() - began)

    async def _write(self, run: Run) -> Outcome:
        """The post, or why there is none. `run_seconds` counts from the claim."""
        run.writing = asyncio.create_task(self._post(run))
        if run.stopped:
            run.writing.cancel()
        limit = asyncio.timeout(run.claimed.run_seconds)
        try:
            async with limit:
                return await run.writing
        except asyncio.CancelledError:
            if run.stopped is None:
                raise
            return Stopped()
        except EngineDead:
            self._engine_died()
            run.stop("lost")
            return Stopped()
        except Exception as error:  # noqa: BLE001 - the outermost of a run: logged and charged
            return RUN_DEADLINE if limit.expired() else why_it_failed(error)

    async def _post(self, run: Run) -> Post:
        claimed, claim = run.claimed, run.claimed.claim
        request = TilRequest.model_validate(claimed.request)
        seed = random.getrandbits(31) if request.options.seed is None else request.options.seed
        attempt = Attempt(f"{claim.job_id}:{claim.claim_no}", seed, claimed.template, self._code_tokens)
        note = note_of(request, self._engine)
        told = self._watch.of(request, claim.job_id, claim.claim_no, note, wants_progress(request))
        admit = partial(self._holdings.ledger.admit, claim)
        return await write(request, self._engine, attempt, admit, told)

    async def _settle(self, run: Run, outcome: Outcome) -> None:
        """Write the outcome, through any outage, until it is written or the claim is known to be lost.

        A write that finds nothing is followed by a heartbeat, which tells a lost claim from a lease that
        ended while the database was away.
        """
        pause, refused = 0.1, False
        while run.stopped != "lost":
            try:
                async with self._database.session() as session:
                    status = await self._finish(session, run, outcome)
            except DatabaseUnavailable as error:
                log.warning("finish_delayed", error=error.reason)
                await asyncio.sleep(pause)
                pause = min(2.0, pause * 2)
            except ClaimLost:
                if refused:
                    break
                refused = True
                await self._beat()
            else:
                await self._tell(run, outcome, status)
                return
        log.warning("claim_lost", outcome=type(outcome).__name__)

    async def _finish(self, session: AsyncSession, run: Run, outcome: Outcome) -> Status:
        claim = run.claimed.claim
        partial = self._watch.partial_text(claim.job_id)
        match outcome:
            case Post():
                result = outcome.result.model_dump(mode="json")
                return await transitions.succeed(session, claim, result, outcome.usage, outcome.provenance)
            case Failure():
                match after_failure(run.claimed.failures, outcome, random.random()):  # noqa: S311
                    case Retry(seconds):
                        return await transitions.retry(session, claim, seconds)
                    case GiveUp(error):
                        return await transitions.fail(session, claim, error, partial)
            case Stopped():
                if run.stopped == "cancelled":
                    await transitions.cancel_run(session, claim, partial)
                    return Status.CANCELLED
                return await transitions.release(session, claim)

    async def _tell(self, run: Run, outcome: Outcome, status: Status) -> None:
        seconds = {"run_seconds": round(self._watch.seconds(run.claimed.claim.job_id), 3)}
        code = {"code": outcome.code} if isinstance(outcome, Failure) else {}
        log.info("run_ended", status=status, **code, **seconds)
        if isinstance(outcome, Post):
            for kind in ("prompt", "cached", "completion"):
                TOKENS.labels(kind).inc(outcome.usage[f"{kind}_tokens"])
        if status in ENDINGS:
            FINISHED.labels(status).inc()
            job_id = str(run.claimed.claim.job_id)
            await self._live.say(DELIVERIES, job_id)
            await self._live.say(ENDED, job_id)
        elif isinstance(outcome, Stopped):
            self._claimer.ring()


def wants_progress(request: TilRequest) -> bool:
    """Whether the job's webhook asks for its progress."""
    return request.webhook is not None and "progress" in request.webhook.events


FAILURES: dict[type[Exception], str] = {
    EngineFailed: "engine_failed",
    EngineTimeout: "engine_timeout",
    InputTooLarge: "input_too_large",
    InvalidOutput: "invalid_output",
}


def why_it_failed(error: Exception) -> Failure:
    """The job error of an expected failure; a bug is charged as one too, or the job would run for ever."""
    code = FAILURES.get(type(error))
    if code is None:
        log.error("run_crashed", exc_info=error)
        return Failure("engine_failed", "The run ended unexpectedly.")
    log.warning("run_failed", code=code, reason=str(error), cause=repr(error.__cause__)[:300])
    return Failure(code, str(error))
