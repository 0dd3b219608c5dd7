"""The steward's sweeping, in a thread with its own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context

import structlog

from base.database import STEWARD, Database
from base.loops import Loops
from signals.doorbell import Ringer
from signals.pubsub import Live
from steward.settings import StewardSettings
from steward.sweeper import Sweeper

log = structlog.get_logger()


@asynccontextmanager
async def sweeping(settings: StewardSettings, loops: Loops) -> AsyncIterator[None]:
    """Sweep inside the block, in `loops`, with its own connections."""
    redis_url = settings.redis_url.get_secret_value()
    database = Database(settings.database_url.get_secret_value(), STEWARD)
    live, ringer = Live(redis_url), Ringer(redis_url)
    intervals = settings.lease_seconds, settings.tick_seconds
    Sweeper(database, live, ringer, settings.scaling(), settings.aliases(), *intervals).start(loops)
    try:
        yield
    finally:
        await loops.close()
        await asyncio.to_thread(ringer.close)
        await live.close()
        await database.close()


class SweepingThread:
    """Sweeps in a thread with its own event loop, so that many deliveries do not delay it."""

    def __init__(self, settings: StewardSettings, loops: Loops, on_dead: Callable[[str], None]) -> None:
        self._settings = settings
        self._loops = loops
        self._on_dead = on_dead
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        run = copy_context().run  # structlog's context variables.
        self._thread = threading.Thread(target=run, args=(self._run,), name="sweeping", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._sweep())
        except BaseException:
            log.exception("sweeping_ended")
            self._on_dead("sweeping")

    async def _sweep(self) -> None:
        async with sweeping(self._settings, self._loops):
            await self._stopping.wait()

    async def stop(self) -> None:
        """End the thread and wait for it."""
        with contextlib.suppress(RuntimeError):  # Its loop has ended already.
            self._loop.call_soon_threadsafe(self._stopping.set)
        await asyncio.to_thread(self._thread.join)
