"""A worker process: one asyncio loop beside Celery's threads, one engine for all of its slots."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import threading
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from base.database import WORKER, Database
from base.errors import DatabaseUnavailable
from base.loops import DIED, Loops
from jobs import workers
from signals.doorbell import Ringer
from signals.pubsub import CANCEL, SWEEP, Live
from signals.servers import require_servers
from worker.engines import Engine
from worker.engines.backpressure import Backpressure
from worker.live.reporter import LiveReporter
from worker.metrics import READY, RUNNING, WAITING, TokenRate
from worker.settings import WorkerSettings
from worker.slots.claimer import Claimer
from worker.slots.consumer import ConsumerRestart
from worker.slots.doorbell_watchdog import DoorbellWatchdog
from worker.slots.heartbeat import Heartbeat
from worker.slots.in_flight import InFlight
from worker.slots.kv_admission import KvAdmission
from worker.slots.run import Runner
from worker.writing.day_parts import PARTS_AT_ONCE

SHORTEST_RELEASE_SECONDS = 3.0
DRAIN_WRITE_SECONDS = 1.0  # Short, so that a half-open connection does not delay the release of jobs.
CELERY_EXIT_SECONDS = 1.0
log = structlog.get_logger()


class Runtime:
    """Starts, serves doorbells from any thread, drains, stops. Its loop runs in a thread of its own."""

    def __init__(self, settings: WorkerSettings, engine: Engine) -> None:
        self._settings = settings
        self.engine = engine
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine-loop", daemon=True)
        self.loops = Loops(lambda _: self._die("loop_dead"))
        self.consumer = ConsumerRestart()
        self.draining = threading.Event()
        self._closing = threading.Event()
        self._dying: asyncio.Task[None] | None = None
        self._thread.start()
        self._call(self._build())

    async def _build(self) -> None:
        """Make what belongs to the loop: connections, events, locks."""
        settings = self._settings
        redis_url = settings.redis_url.get_secret_value()
        self.in_flight = InFlight(KvAdmission(PARTS_AT_ONCE), settings.slots, Backpressure(settings.slots))
        self.database = Database(settings.database_url.get_secret_value(), WORKER)
        self.live = Live(redis_url)
        self.ringer = Ringer(redis_url)
        self.claimer = Claimer(
            self.database, self.live, self.in_flight, self.ringer, settings.alias, uuid.uuid4()
        )
        self.in_flight.admission.on_budget = self.claimer.budget_freed
        self.in_flight.gate.on_open = self.claimer.budget_freed
        self._build_runner(TokenRate())

    def _build_runner(self, rate: TokenRate) -> None:
        settings = self._settings
        shared = (self.database, self.engine, self.in_flight, self.claimer)
        self.heartbeat = Heartbeat(
            *shared, settings.alias, settings.slots, settings.lease_seconds, rate.per_second, self._die
        )
        self.reporter = LiveReporter(self.live, rate)
        self.runner = Runner(
            self.database,
            self.engine,
            self.live,
            self.in_flight,
            self.claimer,
            self.reporter,
            self.heartbeat.beat,
            self._die,
            settings.code_tokens,
        )
        watched = (self.database, self.in_flight, self.claimer, settings.alias)
        self.watchdog = DoorbellWatchdog(*watched, self.runner.run_one, self.consumer)

    def start(self) -> None:
        """Load the engine, register, start the loops. Raises EngineFailed, and JobError from the database."""
        self._call(self._start())

    async def _start(self) -> None:
        await require_servers(self.database, self._settings.redis_url.get_secret_value())
        await self.engine.start()
        self.in_flight.admission.cache = self.engine.kv_cache()
        await self.heartbeat.register()
        RUNNING.set_function(lambda: self.engine.load()[0])
        WAITING.set_function(lambda: self.engine.load()[1])
        READY.set(1)
        self.loops.start("heartbeat", self.heartbeat.next_beat, 60 + int(self._settings.lease_seconds))
        self.loops.start("check_cancels", self.heartbeat.check_cancels, None)
        self.loops.start(
            "listen_cancels", lambda: self.live.listen(CANCEL, lambda _: self.heartbeat.nudged.set()), None
        )
        self.loops.start("live_text", self.reporter.next_tick)
        self.loops.start("doorbell_watchdog", self.watchdog.check)

    def serve_doorbell(self) -> None:
        """Run one job to its end; called in one of Celery's threads, which this blocks."""
        self.watchdog.doorbell_came()
        self._call(self.runner.run_one())

    def drain(self) -> None:
        """Claim no more, let jobs finish, release the rest in time. A second call releases them at once."""
        if self.draining.is_set():
            asyncio.run_coroutine_threadsafe(self._release_now(), self._loop)
            return
        self.draining.set()
        asyncio.run_coroutine_threadsafe(self._drain(), self._loop)
        self._timer(self._settings.drain_seconds + 2, self._exit_undrained)

    @staticmethod
    def _timer(seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        timer.start()

    async def _drain(self) -> None:
        patience = max(0.0, self._settings.drain_seconds - SHORTEST_RELEASE_SECONDS)
        READY.set(0)
        log.info("draining", held=len(self.in_flight))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience) as self._drain_timeout:
                await self._claim_no_more()
                await self.in_flight.empty()
        self.claimer.draining = True
        self.claimer.budget_freed()
        self._release_all()
        async with self.in_flight.lock:  # A claim that had begun before the drain is over now.
            self._release_all()
        await self.in_flight.empty()
        self._timer(CELERY_EXIT_SECONDS, self._exit)

    async def _claim_no_more(self) -> None:
        async with self.in_flight.lock:
            self.claimer.draining = True
        self.claimer.budget_freed()
        with contextlib.suppress(DatabaseUnavailable):
            async with self.database.session(DRAIN_WRITE_SECONDS) as session:
                await workers.drain(session, self.claimer.worker_id)

    async def _release_now(self) -> None:
        with contextlib.suppress(RuntimeError):  # The timeout is over already.
            self._drain_timeout.reschedule(self._loop.time())

    def _release_all(self) -> None:
        for run in self.in_flight.runs():
            run.stop("drained")

    def _die(self, why: str) -> None:
        """Called on the loop: end the lease, so that the jobs are rescued, then the process."""
        if self._dying is None:
            log.error(why, held=len(self.in_flight))
            READY.set(0)
            self.claimer.dead = True
            self.loops.cancel()
            self._dying = asyncio.create_task(self._end_lease())

    async def _end_lease(self) -> None:
        try:
            async with asyncio.timeout(5), self.database.session() as session:
                await workers.end_lease(session, self.claimer.worker_id)
            await self.live.publish(SWEEP, str(self.claimer.worker_id))
        finally:
            os._exit(DIED)

    def _exit_undrained(self) -> None:
        log.error("drain_overran", held=len(self.in_flight))
        faulthandler.dump_traceback()
        os.kill(os.getpid(), signal.SIGKILL)

    def _exit(self) -> None:
        """Called some time after a drain: Celery's shutdown may hang while Redis is away. No job is held."""
        if not self._closing.is_set():
            log.warning("celery_overran")
            self._call(self._leave())
            os._exit(0)

    def close(self) -> None:
        """Unregister once no job is held. If no drain was asked for, exit with DIED, to be restarted."""
        self._closing.set()
        self._call(self._close())
        if not self.draining.is_set():
            log.error("celery_ended")
            os._exit(DIED)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _close(self) -> None:
        await self.in_flight.empty()
        await self._leave()
        await asyncio.to_thread(self.ringer.close)
        await self.live.close()
        await self.database.close()

    async def _leave(self) -> None:
        await self.loops.close()
        with contextlib.suppress(DatabaseUnavailable):
            async with self.database.session() as session:
                await workers.leave(session, self.claimer.worker_id)
        await self.engine.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
