"""Claims jobs for the doorbells that have come: one claim for all that arrive together."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any

import structlog

from base.database import Database
from base.errors import DatabaseUnavailable, WorkerGone
from capacity.kv_budget import KvBudget
from jobs.claim import claim, waiting
from signals.doorbell import Ringer
from signals.pubsub import DELIVERIES, Live
from worker.slots.in_flight import InFlight, Run

log = structlog.get_logger()


class Claimer:
    """Claims jobs for the slots of one worker; `worker_id` changes when it has to register anew.

    Each doorbell is a future that gets a run or None. While the engine has no capacity they wait.
    """

    def __init__(
        self,
        database: Database,
        live: Live,
        in_flight: InFlight,
        ringer: Ringer,
        alias: str,
        worker_id: uuid.UUID,
    ) -> None:
        self.worker_id = worker_id
        self._live = live
        self._budget_freed = False
        self.draining = False
        self.dead = False
        self._database = database
        self._in_flight = in_flight
        self._ringer = ringer
        self._alias = alias
        self._waiting: list[asyncio.Future[Run | None]] = []
        self._in_claim: list[asyncio.Future[Run | None]] = []
        self._claiming: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()

    async def next(self) -> Run | None:
        """Claim a job for one doorbell; None if there is none for it."""
        future: asyncio.Future[Run | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if self._claiming is None or self._claiming.done():
            self._claiming = asyncio.create_task(self._claim_all())
        return await future

    def has_doorbells(self) -> bool:
        """Whether doorbells wait until the engine has capacity."""
        return bool(self._waiting)

    def ring(self) -> None:
        """Send a doorbell for a job that went back to the queue, so that another worker claims it."""
        self._ringer.ring(self._alias, ["released"])

    def budget_freed(self) -> None:
        """Try again for the waiting doorbells: the engine has capacity, or the worker drains or ends."""
        self._budget_freed = True
        if self._waiting and (self._claiming is None or self._claiming.done()):
            self._claiming = asyncio.create_task(self._claim_all())

    async def _claim_all(self) -> None:
        """Claim while doorbells wait. After an unexpected error all of them get None, or their Celery threads
        would be blocked for ever."""
        try:
            while self._waiting and await self._claim_once():
                pass
        except Exception:
            log.exception("claim_crashed")
            for future in (*self._in_claim, *self._waiting):
                if not future.done():
                    future.set_result(None)
            self._waiting = []

    async def _claim_once(self) -> bool:
        """One claim for the doorbells that wait. Returns whether to try again at once.

        Doorbells for which there is no capacity go on waiting; those for which there is no job get None.
        """
        self._budget_freed = False
        budget, most = self._in_flight.admission.budget(), self._claimable()
        if most == 0:
            return False
        async with self._in_flight.lock:
            self._in_claim, self._waiting = self._waiting, []
            runs = await self._claim(min(len(self._in_claim), most or len(self._in_claim)), budget)
        served, rest = self._in_claim[: len(runs)], self._in_claim[len(runs) :]
        for future, run in zip(served, runs, strict=True):
            future.set_result(run)
        refused = len(runs) == most or (budget is not None and budget.refused)
        if refused:
            self._waiting = rest + self._waiting
        else:
            for future in rest:
                future.set_result(None)
        self._in_background(self._announce_started(runs))
        if not rest:
            self._in_background(self._ring_for_more(len(self._in_claim)))
        return self._budget_freed or not refused

    def _claimable(self) -> int | None:
        """How many jobs may be claimed; None: the worker claims none any more, and no doorbell is to wait."""
        return None if self.draining or self.dead else self._in_flight.claimable()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _claim(self, k: int, budget: KvBudget | None) -> list[Run]:
        if self.draining or self.dead:
            return []
        try:
            async with self._database.session() as session:
                claimed = await claim(session, self.worker_id, k, budget)
        except (DatabaseUnavailable, WorkerGone) as error:
            log.warning("not_claimed", error=type(error).__name__, cause=repr(error.__cause__)[:200])
            return []
        return [self._in_flight.add(one) for one in claimed]

    async def _announce_started(self, runs: list[Run]) -> None:
        """Wake the steward if a webhook wants the event `started`."""
        if any("started" in run.claimed.webhook_events for run in runs):
            await self._live.publish(DELIVERIES, "started")

    async def _ring_for_more(self, k: int) -> None:
        """Send up to `k` doorbells for waiting jobs: the last ones all found a job, so there may be more."""
        try:
            async with self._database.session() as session:
                more = await waiting(session, self._alias, k)
        except DatabaseUnavailable:
            return
        self._ringer.ring(self._alias, ["more"] * more)
