"""The steward's delivery of webhooks, on an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from base.database import DELIVERER, Database
from base.loops import Loops
from signals.pubsub import DELIVERIES, Live
from steward.settings import StewardSettings
from webhooks.deliverer import Deliverer
from webhooks.pace import Pace
from webhooks.sender import Sender
from webhooks.settings import WebhookSettings

PROGRESS_AT_ONCE = 1000
PROGRESS_EVERY_SECONDS = 0.25


class Progress:
    """Progress webhooks: sent once, straight from Redis; what there is no room for is dropped."""

    def __init__(self, live: Live, deliverer: Deliverer) -> None:
        self._live = live
        self._deliverer = deliverer
        self._pace = Pace()

    async def step(self) -> None:
        """Send what has come, then pause."""
        come = await self._live.pop_progress(PROGRESS_AT_ONCE)
        if told := self._pace.next(come, time.monotonic()):
            await self._deliverer.tell_progress(told)
        await asyncio.sleep(PROGRESS_EVERY_SECONDS)


@asynccontextmanager
async def delivering(
    settings: StewardSettings, webhooks: WebhookSettings, loops: Loops
) -> AsyncIterator[None]:
    """Deliver webhooks meanwhile, in these loops; then end the posts that are under way, unless cancelled."""
    database = Database(settings.database_url.get_secret_value(), DELIVERER)
    live = Live(settings.redis_url.get_secret_value())
    agent = f"til-queue/{version('til-queue')}"
    sender = Sender(agent, webhooks.timeout_seconds, webhooks.allowed_networks)
    deliverer = Deliverer(database, sender, webhooks.schedule_seconds, settings.box())
    loops.start("deliver", deliverer.step)
    loops.start("fall_due", deliverer.fall_due)
    loops.start("tell_progress", Progress(live, deliverer).step)
    loops.start("hear_deliveries", lambda: live.listen(DELIVERIES, lambda _: deliverer.wake()), None)
    try:
        yield
    finally:
        await loops.close()
        await until_told(deliverer.finish())
        await sender.close()
        await live.close()
        await database.close()


async def until_told(work: Coroutine[Any, Any, object]) -> None:
    """Do the work, or end it at SIGTERM or SIGINT."""
    task = asyncio.create_task(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
