"""The steward: deliveries on one event loop, sweeping on another, so that neither waits for the other.

Two stewards at once do no harm; each works on while Redis is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import copy_context
from importlib.metadata import version
from typing import Any

import structlog
from prometheus_client import start_http_server
from pydantic import Field

from jobs.database import DELIVERER, STEWARD, Database
from jobs.errors import JobError
from jobs.files import allow_many_files
from jobs.live import DELIVERIES, Live
from jobs.logs import set_up_logs
from jobs.loops import DIED, Loops
from jobs.pace import Pace
from jobs.postman import Postman
from jobs.preflight import unless_unfit
from jobs.ring import Ringer
from jobs.settings import ServerSettings, WebhookSettings
from jobs.sweeper import Sweeper
from jobs.webhook import Sender

PROGRESS_AT_ONCE = 1000
PROGRESS_EVERY_SECONDS = 0.25
log = structlog.get_logger()


class StewardSettings(ServerSettings):
    """`slots_per_worker`: C of the autoscaling formula. `lease_seconds`: that of the workers."""

    slots_per_worker: int = 30
    lease_seconds: float = Field(default=15.0, gt=0)

    @property
    def tick_seconds(self) -> float:
        """A second, or with a short lease less, since a break of half a lease counts as an outage."""
        return min(1.0, self.lease_seconds / 6)


class Progress:
    """Progress webhooks: sent once, straight from Redis; what there is no room for is dropped."""

    def __init__(self, live: Live, postman: Postman) -> None:
        self._live = live
        self._postman = postman
        self._pace = Pace()

    async def step(self) -> None:
        """Send what has come, then pause."""
        come = await self._live.pop_progress(PROGRESS_AT_ONCE)
        if told := self._pace.next(come, time.monotonic()):
            await self._postman.tell_progress(told)
        await asyncio.sleep(PROGRESS_EVERY_SECONDS)


@asynccontextmanager
async def sweeping(settings: StewardSettings, on_dead: Callable[[str], None]) -> AsyncIterator[None]:
    """Sweep meanwhile, with connections of its own."""
    redis_url = settings.redis_url.get_secret_value()
    database = Database(settings.database_url.get_secret_value(), STEWARD)
    live, ringer, loops = Live(redis_url), Ringer(redis_url), Loops(on_dead)
    rhythm = settings.slots_per_worker, settings.lease_seconds, settings.tick_seconds
    Sweeper(database, live, ringer, *rhythm).start(loops)
    try:
        yield
    finally:
        await loops.close()
        await asyncio.to_thread(ringer.close)
        await live.close()
        await database.close()


@asynccontextmanager
async def delivering(
    settings: StewardSettings, webhooks: WebhookSettings, on_dead: Callable[[str], None]
) -> AsyncIterator[None]:
    """Deliver webhooks meanwhile; then end the posts that are under way, unless cancelled."""
    database = Database(settings.database_url.get_secret_value(), DELIVERER)
    live, loops = Live(settings.redis_url.get_secret_value()), Loops(on_dead)
    agent = f"til-queue/{version('til-queue')}"
    sender = Sender(agent, webhooks.timeout_seconds, webhooks.allowed_networks)
    postman = Postman(database, sender, webhooks.schedule_seconds)
    loops.start("deliver", postman.step)
    loops.start("fall_due", postman.fall_due)
    loops.start("tell_progress", Progress(live, postman).step)
    loops.start("hear_deliveries", lambda: live.listen(DELIVERIES, lambda _: postman.wake()), None)
    try:
        yield
    finally:
        await loops.close()
        await _until_told(postman.finish())
        await sender.close()
        await live.close()
        await database.close()


class SweepingThread:
    """Sweeping in a thread with an event loop of its own: what keeps the other busy does not delay it."""

    def __init__(self, settings: StewardSettings, on_dead: Callable[[str], None]) -> None:
        self._settings = settings
        self._on_dead = on_dead
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        run = copy_context().run  # The logs' context.
        self._thread = threading.Thread(target=run, args=(self._run,), name="sweeping", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._sweep())
        except BaseException:
            log.exception("sweeping_ended")
            self._on_dead("sweeping")

    async def _sweep(self) -> None:
        async with sweeping(self._settings, self._on_dead):
            await self._stopping.wait()

    async def stop(self) -> None:
        """End it, and wait for that."""
        with contextlib.suppress(RuntimeError):  # It has ended by itself.
            self._loop.call_soon_threadsafe(self._stopping.set)
        await asyncio.to_thread(self._thread.join)


async def serve(settings: StewardSettings, webhooks: WebhookSettings) -> int:
    """Run one steward until SIGTERM or SIGINT, then end its posts; a second signal leaves them.

    The exit code: 0, or DIED when a loop has died.
    """
    allow_many_files()  # A post to a receiver that hangs holds its connection.
    start_http_server(settings.metrics_port, settings.metrics_host)
    database = Database(settings.database_url.get_secret_value(), STEWARD)
    await unless_unfit(database, settings.redis_url.get_secret_value())
    await database.close()
    here, died = asyncio.get_running_loop(), asyncio.Event()

    def on_dead(_: str) -> None:
        here.call_soon_threadsafe(died.set)

    thread = SweepingThread(settings, on_dead)
    async with delivering(settings, webhooks, on_dead):
        log.info("steward_started")
        await _until_told(died.wait())
        await thread.stop()
    log.info("steward_stopped")
    return DIED if died.is_set() else 0


async def _until_told(work: Coroutine[Any, Any, object]) -> None:
    task = asyncio.create_task(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    settings_read = StewardSettings()
    set_up_logs("steward", settings_read.log_level)
    try:
        code = asyncio.run(serve(settings_read, WebhookSettings()))
    except JobError as error:
        log.error("steward_not_started", error=str(error))
        code = 1
    sys.exit(code)
