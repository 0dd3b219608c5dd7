"""The heartbeat: while the engine answers, it renews the lease and hears what to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from collections.abc import Callable

import structlog

from jobs.database import Database
from jobs.errors import DatabaseUnavailable, WorkerGone
from jobs.workers import heartbeat, register
from worker.claimer import Claimer
from worker.engines import Engine
from worker.holdings import Holdings

log = structlog.get_logger()


class Pulse:
    """One per worker. A beat every third of the lease; no beat while the engine's probe doesn't answer."""

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
    ) -> None:
        self._database = database
        self._engine = engine
        self._holdings = holdings
        self._claimer = claimer
        self._alias = alias
        self._slots = slots
        self._lease = lease_seconds
        self._tokens_per_second = tokens_per_second
        self.engine_alive = True

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
        """Beat until cancelled, through any outage."""
        while True:
            await asyncio.sleep(self._lease / 3)
            try:
                if await self._alive():
                    await self.beat()
            except DatabaseUnavailable:
                log.warning("heartbeat_failed", error="database_unavailable")
            except WorkerGone:
                log.warning("lease_lost", held=len(self._holdings))
                with contextlib.suppress(DatabaseUnavailable):
                    await self.register()

    async def beat(self) -> None:
        """Renew the lease once. Raises WorkerGone, DatabaseUnavailable."""
        async with self._holdings.lock:
            async with self._database.session() as session:
                heard = await heartbeat(
                    session,
                    self._claimer.worker_id,
                    self._holdings.claims(),
                    self._lease,
                    self._tokens_per_second(),
                )
            self._holdings.stop(heard.cancelled, "cancelled")
            self._holdings.stop(heard.lost, "lost")
        if heard.released:
            log.warning("released_unknown_claims", jobs=heard.released)

    async def _alive(self) -> bool:
        try:
            async with asyncio.timeout(self._lease / 3):
                self.engine_alive = await self._engine.alive()
        except TimeoutError:
            self.engine_alive = False
        if not self.engine_alive:
            log.error("engine_silent", held=len(self._holdings))
        return self.engine_alive
