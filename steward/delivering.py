"""The steward's delivery of webhooks, on its own event loop."""

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
from webhooks.sender import Sender
from webhooks.settings import WebhookSettings
from webhooks.throttle import ProgressThrottle

PROGRESS_AT_ONCE = 1000
PROGRESS_POLL_SECONDS = 0.25


class ProgressWebhooks:
    """Sends progress webhooks, which come through Redis, without retries; those over the limit are lost."""

    def __init__(self, live: Live, deliverer: Deliverer) -> None:
        self._live = live
        self._deliverer = deliverer
        self._throttle = ProgressThrottle()

    async def step(self) -> None:
        """Send those that have arrived and are due, then pause."""
        arrived = await self._live.pop_progress(PROGRESS_AT_ONCE)
        if due := self._throttle.next(arrived, time.monotonic()):
            await self._deliverer.send_progress(due)
        await asyncio.sleep(PROGRESS_POLL_SECONDS)


@asynccontextmanager
async def delivering(
    settings: StewardSettings, webhooks: WebhookSettings, loops: Loops
) -> AsyncIterator[None]:
    """Deliver webhooks inside the block; at its end, wait for those in flight or for a signal."""
    database = Database(settings.database_url.get_secret_value(), DELIVERER)
    live = Live(settings.redis_url.get_secret_value())
    agent = f"til-queue/{version('til-queue')}"
    sender = Sender(agent, webhooks.timeout_seconds, webhooks.allowed_networks)
    deliverer = Deliverer(database, sender, webhooks.schedule_seconds, settings.box())
    loops.start("deliver", deliverer.step)
    loops.start("mark_due", deliverer.mark_due)
    loops.start("send_progress", ProgressWebhooks(live, deliverer).step)
    loops.start("listen_deliveries", lambda: live.listen(DELIVERIES, lambda _: deliverer.wake()), None)
    try:
        yield
    finally:
        await loops.close()
        await until_signalled(deliverer.finish())
        await sender.close()
        await live.close()
        await database.close()


async def until_signalled(work: Coroutine[Any, Any, object]) -> None:
    """Await `work`; SIGTERM or SIGINT cancels it."""
    task = asyncio.create_task(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
