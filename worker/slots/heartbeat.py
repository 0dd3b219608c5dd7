"""The heartbeat: while the engine answers, it renews the lease and hears what to stop."""

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
from jobs.workers import asked_to_stop, heartbeat, register
from worker.engines import Engine, EngineDead
from worker.metrics import READY
from worker.slots.claimer import Claimer
from worker.slots.in_flight import InFlight

log = structlog.get_logger()


class Heartbeat:
    """One per worker. A beat every third of the lease; no beat while the engine's probe doesn't answer.

    After an outage of the database the lease has ended in its absence. A worker that has kept trying all
    the while may renew it, unless its jobs were taken; one that was frozen itself, or whose engine was
    silent, may not. `nudged`: there may be a cancel to hear of. `die` ends the process.
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
        """Begin a life as a new worker, whose engine answers: a new id, a first lease."""
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
        """Pause and beat: the sooner, in a second at most, where the last beat renewed nothing."""
        pause = self._lease / 3
        await asyncio.sleep(pause if self._renewed else min(1.0, pause))
        await self.beat()

    async def beat(self) -> bool:
        """Renew the lease if the engine answers; whatever is not this worker's any more is stopped.

        Whether it was renewed. Of those who ask while a beat is under way, all share the next.
        """
        before = self._beats
        async with self._beating:
            if self._beats == before:
                self._beats += 1
                self._renewed = await self._beat()
            return self._renewed

    async def _beat(self) -> bool:
        self._look_at_the_clock()
        try:
            if not self._claimer.dead and await self._alive():
                self._look_at_the_clock()
                await self._renew()
                return True
            self._through_outage = False
        except EngineDead:
            self._die("engine_died")
        except DatabaseUnavailable as error:
            self._through_outage = True
            self._look_at_the_clock()
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

    def _look_at_the_clock(self) -> None:
        """No step of a beat takes longer than a third of the lease, unless this process itself was away."""
        now = time.monotonic()
        if now - self._awake_at > self._lease / 2:
            self._through_outage = False
        self._awake_at = now

    async def _renew(self) -> None:
        async with self._in_flight.lock:
            self._look_at_the_clock()
            async with self._database.session(self._lease / 3) as session:
                await session.connection()
                self._look_at_the_clock()
                heard = await heartbeat(
                    session,
                    self._claimer.worker_id,
                    self._in_flight.claims(),
                    self._lease,
                    self._tokens_per_second(),
                    self._through_outage,
                )
            self._through_outage = False
            self._in_flight.stop(heard.cancelled, "cancelled")
            self._in_flight.stop(heard.lost, "lost")
        if heard.released:
            log.warning("released_unknown_claims", jobs=heard.released)

    async def hear_cancels(self) -> None:
        """When nudged, ask what is to be cancelled: a nudge itself is nobody's word.

        Under the lock, so that a claim that is on its way has come before.
        """
        await self.nudged.wait()
        self.nudged.clear()
        async with self._in_flight.lock:
            async with self._database.session() as session:
                asked = await asked_to_stop(session, self._claimer.worker_id)
            self._in_flight.stop(asked, "cancelled")

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
