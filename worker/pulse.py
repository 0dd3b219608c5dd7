"""The heartbeat: while the engine answers, it renews the lease and hears what to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import Callable

import structlog

from jobs.database import Database
from jobs.errors import DatabaseUnavailable, WorkerGone
from jobs.workers import heartbeat, register
from worker.claimer import Claimer
from worker.engines import Engine, EngineDead
from worker.holdings import Holdings
from worker.meter import READY

log = structlog.get_logger()


class Pulse:
    """One per worker. A beat every third of the lease; no beat while the engine's probe doesn't answer.

    After an outage of the database the lease has ended in its absence. A worker that has kept trying all
    the while may renew it, unless its jobs were taken; one that was frozen itself may not.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        holdings: Holdings,
        claimer: Claimer,
        alias: str,
        slots: int,
        lease_seconds: float,
        tokens_per_second: Callable[[], float],
        engine_died: Callable[[], None],
    ) -> None:
        self._database = database
        self._engine = engine
        self._holdings = holdings
        self._claimer = claimer
        self._alias = alias
        self._slots = slots
        self._lease = lease_seconds
        self._tokens_per_second = tokens_per_second
        self._engine_died = engine_died
        self._through_outage = False
        self._tried_at = time.monotonic()

    async def register(self) -> None:
        """Begin a life as a new worker: a new id, a first lease."""
        async with self._holdings.lock:
            self._claimer.worker_id = uuid.uuid4()
            self._holdings.stop(self._holdings.claims(), "lost")
            async with self._database.session() as session:
                await register(
                    session,
                    self._claimer.worker_id,
                    socket.gethostname(),
                    self._slots,
                    self._alias,
                    self._engine.info.engine,
                    self._lease,
                )
        log.info("worker_registered", worker_id=str(self._claimer.worker_id))

    async def beat_for_ever(self) -> None:
        """Beat until cancelled, through any outage, during which it is tried at least once a second."""
        while True:
            pause = self._lease / 3
            await asyncio.sleep(min(1.0, pause) if self._through_outage else pause)
            await self.beat()

    async def beat(self) -> None:
        """Renew the lease if the engine answers; whatever is not this worker's any more is stopped."""
        if time.monotonic() - self._tried_at > self._lease:
            self._through_outage = False  # This process itself was away.
        self._tried_at = time.monotonic()
        try:
            if await self._alive():
                await self._renew()
                self._through_outage = False
        except EngineDead:
            self._engine_died()
        except DatabaseUnavailable as error:
            self._through_outage = True
            log.warning("heartbeat_failed", error=error.reason)
        except WorkerGone:
            self._through_outage = False
            log.warning("lease_lost", held=len(self._holdings))
            with contextlib.suppress(DatabaseUnavailable):
                await self.register()

    async def _renew(self) -> None:
        async with self._holdings.lock:
            async with self._database.session(self._lease / 3) as session:
                heard = await heartbeat(
                    session,
                    self._claimer.worker_id,
                    self._holdings.claims(),
                    self._lease,
                    self._tokens_per_second(),
                    self._through_outage,
                )
            self._holdings.stop(heard.cancelled, "cancelled")
            self._holdings.stop(heard.lost, "lost")
        if heard.released:
            log.warning("released_unknown_claims", jobs=heard.released)

    async def _alive(self) -> bool:
        try:
            async with asyncio.timeout(self._lease / 3):
                alive = await self._engine.alive()
        except TimeoutError:
            alive = False
        READY.set(int(alive and not self._claimer.draining))
        if not alive:
            log.error("engine_silent", held=len(self._holdings))
        return alive
