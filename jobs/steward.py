"""The steward: deliveries, sweeping, figures. Two at once do no harm; it works on while Redis is away."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from importlib.metadata import version
from typing import Any

import structlog
from prometheus_client import Gauge, start_http_server
from pydantic import Field

from jobs import endpoints, figures, sweep
from jobs.claim import waiting_models
from jobs.database import STEWARD, Database
from jobs.errors import DatabaseUnavailable, JobError
from jobs.figures import Figures
from jobs.live import DELIVERIES, ENDED, SWEEP, Live
from jobs.logs import set_up_logs
from jobs.meter import FINISHED
from jobs.pace import Pace
from jobs.postman import Postman
from jobs.preflight import unless_unfit
from jobs.ring import Ringer
from jobs.settings import ServerSettings, WebhookSettings
from jobs.webhook import Sender

OPEN_FILES = 4096
PROGRESS_AT_ONCE = 1000
PROGRESS_EVERY_SECONDS = 0.25
log = structlog.get_logger()

JOBS = Gauge("til_jobs", "Jobs by state.", ["state"])
OLDEST = Gauge("til_oldest_queued_seconds", "Age of the oldest queued job.")
SLOTS = Gauge("til_slots", "Slots of live workers.")
WORKERS = Gauge("til_workers", "Live workers.")
DESIRED = Gauge("til_workers_desired", "Workers that the load asks for.")


class StewardSettings(ServerSettings):
    """`slots_per_worker`: C of the autoscaling formula. `lease_seconds`: that of the workers."""

    slots_per_worker: int = 30
    lease_seconds: float = Field(default=15.0, gt=0)

    @property
    def tick_seconds(self) -> float:
        """A second, or with a short lease less, since a break of half a lease counts as an outage."""
        return min(1.0, self.lease_seconds / 6)


class Steward:
    """Its loops, each of which outlives any outage of PostgreSQL or Redis."""

    def __init__(
        self,
        database: Database,
        live: Live,
        ringer: Ringer,
        postman: Postman,
        settings: StewardSettings,
    ) -> None:
        self._database = database
        self._live = live
        self._ringer = ringer
        self._postman = postman
        self._settings = settings
        self._nudged = asyncio.Event()
        self._pace = Pace()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._live.listen(DELIVERIES, lambda _: self._postman.wake()))
            group.create_task(self._live.listen(SWEEP, lambda _: self._nudged.set()))
            group.create_task(self._for_ever("tick", self._tick))
            group.create_task(self._for_ever("forget", self._forget))
            group.create_task(self._for_ever("deliver", self._postman.step))
            group.create_task(self._for_ever("fall_due", self._postman.fall_due))
            group.create_task(self._for_ever("tell_progress", self._tell_progress))

    async def _for_ever(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except DatabaseUnavailable as error:
                log.warning("database_unavailable", step=name, error=error.reason)
                await asyncio.sleep(self._settings.tick_seconds)

    async def _tick(self) -> None:
        """Count, expire, rescue, ring for what waits; then pause, unless a worker says that it is lost."""
        self._nudged.clear()
        settings = self._settings
        async with self._database.session() as session:
            now = await figures.measure(session, settings.slots_per_worker, settings.lease_seconds)
            expired = await sweep.expire_jobs(session)
        show(now)
        if expired:
            FINISHED.labels("expired").inc(expired)
            log.info("expired", jobs=expired)
            await self._live.say(DELIVERIES, "expired")
        await self._rescue()
        await self._ring(now.slots)
        await _first_of(self._nudged, settings.tick_seconds)

    async def _rescue(self) -> None:
        """Rescue the jobs of every lost worker first: what is said through Redis may take a second."""
        found = False
        while True:
            async with self._database.session() as session:
                rescued = await sweep.rescue_one_worker(session, self._settings.lease_seconds)
            if rescued is None:
                break
            found = True
            log.warning("worker_lost", jobs=rescued)
        if found:
            await self._live.say(DELIVERIES, "rescued")
            await self._live.say(ENDED, "?")

    async def _ring(self, slots: int) -> None:
        async with self._database.session() as session:
            models = await waiting_models(session, 2 * slots + 64)
        self._ringer.set_slots(slots)
        for model, count in models.items():
            self._ringer.ring(model, ["steward"] * count)

    async def _tell_progress(self) -> None:
        """Sent once, straight from Redis; what there is no room for is dropped."""
        come = await self._live.pop_progress(PROGRESS_AT_ONCE)
        if told := self._pace.next(come, time.monotonic()):
            await self._postman.tell_progress(told)
        await asyncio.sleep(PROGRESS_EVERY_SECONDS)

    async def _forget(self) -> None:
        for forget in (sweep.forget_idempotency_keys, endpoints.forget_old):
            async with self._database.session() as session:
                await forget(session)
        await asyncio.sleep(60)


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def show(now: Figures) -> None:
    """The figures as metrics, which the autoscalers follow."""
    JOBS.labels("queued").set(now.queued)
    JOBS.labels("running").set(now.running)
    OLDEST.set((now.at - now.oldest_queued_at).total_seconds() if now.oldest_queued_at else 0)
    SLOTS.set(now.slots)
    WORKERS.set(now.workers)
    DESIRED.set(now.workers_desired)


def allow_many_connections() -> None:
    """A post to a receiver that hangs holds its connection: raise the soft limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


async def serve(settings: StewardSettings, webhooks: WebhookSettings) -> None:
    """Run one steward until SIGTERM or SIGINT, then end its posts; a second signal leaves them."""
    allow_many_connections()
    start_http_server(settings.metrics_port, settings.metrics_host)
    database = Database(settings.database_url.get_secret_value(), STEWARD)
    await unless_unfit(database, settings.redis_url.get_secret_value())
    live = Live(settings.redis_url.get_secret_value())
    ringer = Ringer(settings.redis_url.get_secret_value())
    agent = f"til-queue/{version('til-queue')}"
    sender = Sender(agent, webhooks.timeout_seconds, webhooks.allowed_networks)
    postman = Postman(database, sender, webhooks.schedule_seconds)
    steward = Steward(database, live, ringer, postman, settings)
    log.info("steward_started")
    await _until_told(steward.run())
    await _until_told(postman.finish())
    ringer.close()
    await sender.close()
    await live.close()
    await database.close()
    log.info("steward_stopped")


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    settings_read = StewardSettings()
    set_up_logs("steward", settings_read.log_level)
    try:
        asyncio.run(serve(settings_read, WebhookSettings()))
    except JobError as error:
        log.error("steward_not_started", error=str(error))
        sys.exit(1)
