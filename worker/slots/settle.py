"""Writes the outcome of a run to the database, through any outage, and then publishes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from base.database import Database
from base.errors import ClaimLost, DatabaseUnavailable
from base.metrics import FINISHED
from base.states import ENDINGS, Status
from jobs import finish, give_back
from jobs.retry_policy import Failure, GiveUp, Retry
from signals.pubsub import DELIVERIES, ENDED, Live
from worker.live.reporter import LiveReporter
from worker.metrics import TOKENS
from worker.slots.in_flight import Run
from worker.slots.outcome import UNWRITABLE, Outcome, Postponed, Stopped, decision
from worker.writing.write import Post

log = structlog.get_logger()


class Settler:
    """Writes outcomes of runs. `beat` sends a heartbeat; `ring` a doorbell for a job that was released."""

    def __init__(
        self,
        database: Database,
        live: Live,
        reporter: LiveReporter,
        beat: Callable[[], Awaitable[bool]],
        ring: Callable[[], None],
    ) -> None:
        self._database = database
        self._live = live
        self._reporter = reporter
        self._beat = beat
        self._ring = ring

    async def settle(self, run: Run, outcome: Outcome) -> None:
        """Try until the outcome is written or the claim is known to be lost.

        A write that finds no row may mean that the claim is lost, or only that the lease ended while the
        database was away. So a heartbeat follows; if it renews the lease and the next write finds no row
        either, the claim is lost.
        """
        pause, renewed = 0.1, False
        while run.stopped != "lost":
            try:
                async with self._database.session() as session:
                    status = await self._finish(session, run, outcome)
            except DatabaseUnavailable as error:
                log.warning("finish_delayed", error=error.reason)
                renewed = False
            except ClaimLost:
                if renewed:
                    break
                renewed = await self._beat()
            except Exception:
                if outcome is UNWRITABLE:
                    raise
                log.exception("outcome_unwritable")
                outcome = UNWRITABLE
            else:
                return await self._announce(run, outcome, status)
            await asyncio.sleep(pause)
            pause = min(2.0, pause * 2)
        log.warning("claim_lost", outcome=type(outcome).__name__)

    async def _finish(self, session: AsyncSession, run: Run, outcome: Outcome) -> Status:
        claim = run.claimed.claim
        if isinstance(outcome, Post):
            result = outcome.result.model_dump(mode="json")
            return await finish.succeed(session, claim, result, outcome.usage, outcome.provenance)
        partial = None if outcome is UNWRITABLE else self._reporter.partial_text(claim.job_id)
        usage = run.usage.as_json()
        match outcome:
            case Stopped():
                if run.stopped == "cancelled":
                    await finish.cancel_run(session, claim, partial, usage)
                    return Status.CANCELLED
                return await give_back.release(session, claim, partial, usage)
        match decision(outcome, run.claimed.failures, run.patience_seconds()):
            case Retry(seconds) if isinstance(outcome, Postponed):
                return await give_back.release(session, claim, partial, usage, seconds)
            case Retry(seconds):
                return await give_back.retry(session, claim, seconds, partial, usage)
            case GiveUp(error):
                return await finish.fail(session, claim, error, partial, usage)

    async def _announce(self, run: Run, outcome: Outcome, status: Status) -> None:
        seconds = {"run_seconds": round(self._reporter.seconds(run.claimed.claim.job_id), 3)}
        code = {"code": outcome.code} if isinstance(outcome, Failure) else {}
        log.info("run_ended", status=status, **code, **seconds)
        usage = run.usage.as_json()
        for kind in ("prompt", "cached", "completion"):
            TOKENS.labels(kind).inc(usage[f"{kind}_tokens"])
        if status in ENDINGS:
            FINISHED.labels(status).inc()
            job_id = str(run.claimed.claim.job_id)
            if run.claimed.webhook_events:
                await self._live.publish(DELIVERIES, job_id)
            await self._live.publish(ENDED, job_id)
        elif isinstance(outcome, Stopped):
            self._ring()
