"""The heartbeat: renews the worker's lease while the engine answers, and learns which runs to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import Callable

import structlog

from base.database import Database
from base.errors import DatabaseUnavailable, WorkerGone
from base.loops import ERRORS
from jobs.workers import cancel_requests, heartbeat, register
from worker.engines import Engine, EngineDead
from worker.metrics import READY
from worker.slots.claimer import Claimer
from worker.slots.in_flight import InFlight

log = structlog.get_logger()


class Heartbeat:
    """One per worker. It renews the lease every third of it, but not while the engine's probe doesn't answer.

    In an outage of the database the lease ends. A worker that tried to renew it all the time may still do so
    afterwards, unless its jobs were rescued; one that was frozen itself, or whose engine did not answer, may
    not. `nudged`: there may be new cancel requests. `die` ends the process.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        in_flight: InFlight,
        claimer: Claimer,
        alias: str,
        slots: int,
        lease_seconds: float,
        tokens_per_second: Callable[[], float],
        die: Callable[[str], None],
    ) -> None:
        self.nudged = asyncio.Event()
        self._database = database
        self._engine = engine
        self._in_flight = in_flight
        self._claimer = claimer
        self._alias = alias
        self._slots = slots
        self._lease = lease_seconds
        self._tokens_per_second = tokens_per_second
        self._die = die
        self._through_outage = False
        self._awake_at = time.monotonic()
        self._beating = asyncio.Lock()
        self._beats = 0
        self._renewed = True
        self.engine_answers = True
        self._answered_at = time.monotonic()

    def silent_seconds(self) -> float:
        """Since the engine answered last. From any thread."""
        return time.monotonic() - self._answered_at

    async def register(self) -> None:
        """Register as a new worker, with a new id and a first lease; runs under an old id are stopped."""
        self._answered_at = time.monotonic()
        async with self._in_flight.lock:
            self._claimer.worker_id = uuid.uuid4()
            self._in_flight.stop(self._in_flight.claims(), "lost")
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

    async def next_beat(self) -> None:
        """Pause, a second at the most if the last heartbeat failed, and send a heartbeat."""
        pause = self._lease / 3
        await asyncio.sleep(pause if self._renewed else min(1.0, pause))
        await self.beat()

    async def beat(self) -> bool:
        """Renew the lease if the engine answers, and stop runs that are lost or cancelled.

        Returns whether it was renewed. Callers that come while a heartbeat is under way share the next one.
        """
        before = self._beats
        async with self._beating:
            if self._beats == before:
                self._beats += 1
                self._renewed = await self._beat()
            return self._renewed

    async def _beat(self) -> bool:
        self._check_frozen()
        try:
            if not self._claimer.dead and await self._alive():
                self._check_frozen()
                await self._renew()
                return True
            self._through_outage = False
        except EngineDead:
            self._die("engine_died")
        except DatabaseUnavailable as error:
            self._through_outage = True
            self._check_frozen()
            log.warning("heartbeat_failed", error=error.reason)
        except WorkerGone:
            self._through_outage = False
            log.warning("lease_lost", held=len(self._in_flight))
            with contextlib.suppress(DatabaseUnavailable):
                await self.register()
        except Exception:
            ERRORS.labels("heartbeat").inc()
            log.exception("heartbeat_crashed")
        return False

    def _check_frozen(self) -> None:
        """A step of a heartbeat takes a third of the lease at most; after more this process was frozen."""
        now = time.monotonic()
        if now - self._awake_at > self._lease / 2:
            self._through_outage = False
        self._awake_at = now

    async def _renew(self) -> None:
        async with self._in_flight.lock:
            self._check_frozen()
            async with self._database.session(self._lease / 3) as session:
                await session.connection()
                self._check_frozen()
                result = await heartbeat(
                    session,
                    self._claimer.worker_id,
                    self._in_flight.claims(),
                    self._lease,
                    self._tokens_per_second(),
                    self._through_outage,
                )
            self._through_outage = False
            self._in_flight.stop(result.cancelled, "cancelled")
            self._in_flight.stop(result.lost, "lost")
        if result.released:
            log.warning("released_unknown_claims", jobs=result.released)

    async def check_cancels(self) -> None:
        """Wait for a nudge, then read the cancel requests from PostgreSQL: only these count.

        Under the lock, so that it also sees jobs that are being claimed now.
        """
        await self.nudged.wait()
        self.nudged.clear()
        async with self._in_flight.lock:
            async with self._database.session() as session:
                requested = await cancel_requests(session, self._claimer.worker_id)
            self._in_flight.stop(requested, "cancelled")

    async def _alive(self) -> bool:
        try:
            async with asyncio.timeout(self._lease / 3):
                alive = await self._engine.alive()
        except TimeoutError:
            alive = False
        READY.set(int(alive and not self._claimer.draining))
        self.engine_answers = alive
        if alive:
            self._answered_at = time.monotonic()
        else:
            log.error("engine_silent", held=len(self._in_flight))
        return alive
