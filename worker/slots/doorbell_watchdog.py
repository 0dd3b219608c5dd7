"""Notices that jobs wait but no doorbells come; then the worker claims by itself and its consumer reconnects.

Celery's consumer can silently stop consuming (after several resets of its connection in a row); and while
Redis is away no doorbell can come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from base.database import Database
from jobs.claim import waiting
from worker.metrics import SELF_CLAIMS
from worker.slots.claimer import Claimer
from worker.slots.in_flight import InFlight

SILENCE_SECONDS = 5.0
"""While Redis works, the steward sends doorbells for waiting jobs every second."""
BUSY_PAUSE_SECONDS = 1.0
"""Between two checks while there are jobs that the worker has claimed by itself."""
RESTART_EVERY_SECONDS = 15.0
log = structlog.get_logger()


class DoorbellWatchdog:
    """`run_one`: claims and runs one job. `restart_consumer`: makes Celery's consumer reconnect."""

    def __init__(
        self,
        database: Database,
        in_flight: InFlight,
        claimer: Claimer,
        alias: str,
        run_one: Callable[[], Awaitable[None]],
        restart_consumer: Callable[[], None],
    ) -> None:
        self._database = database
        self._in_flight = in_flight
        self._claimer = claimer
        self._alias = alias
        self._run_one = run_one
        self._restart_consumer = restart_consumer
        self._doorbell_at, self._restarted_at = time.monotonic(), float("-inf")
        self._serving: set[asyncio.Task[None]] = set()

    def doorbell_came(self) -> None:
        """Note that the consumer works."""
        self._doorbell_at = time.monotonic()

    async def check(self) -> None:
        """Pause; then, after `SILENCE_SECONDS` without a doorbell, claim waiting jobs for the free slots."""
        await asyncio.sleep(BUSY_PAUSE_SECONDS if self._serving else SILENCE_SECONDS)
        free = self._free_slots()
        if free <= 0 or time.monotonic() - self._doorbell_at < SILENCE_SECONDS:
            return
        async with self._database.session() as session:
            count = await waiting(session, self._alias, free)
        if count:
            self._claim(count)

    def _free_slots(self) -> int:
        if self._claimer.draining or self._claimer.dead or self._claimer.has_doorbells():
            return 0
        return self._in_flight.claimable()

    def _claim(self, count: int) -> None:
        now = time.monotonic()
        log.warning("doorbells_missing", waiting=count, silent_seconds=round(now - self._doorbell_at, 1))
        if now - self._restarted_at > RESTART_EVERY_SECONDS:
            self._restarted_at = now
            self._restart_consumer()
        SELF_CLAIMS.inc(count)
        for _ in range(count):
            task = asyncio.create_task(self._serve())
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self) -> None:
        try:
            await self._run_one()
        except Exception:
            log.exception("run_crashed")
