"""The steward: deliveries on one event loop, sweeping on another, so that neither waits for the other.

Two stewards at once do no harm; each works on while Redis is away.
"""

from __future__ import annotations

import asyncio
import sys

import structlog
from prometheus_client import start_http_server

from base.database import STEWARD, Database
from base.errors import JobError
from base.files import allow_many_files
from base.logs import set_up_logs
from base.loops import DIED
from base.settings import read
from signals.servers import unless_unfit
from steward.delivering import delivering, until_told
from steward.settings import StewardSettings
from steward.sweeping import SweepingThread
from tenants.secrets import look_at_secrets
from webhooks.settings import WebhookSettings

log = structlog.get_logger()


async def serve(settings: StewardSettings, webhooks: WebhookSettings) -> int:
    """Run one steward until SIGTERM or SIGINT, then end its posts; a second signal leaves them.

    The exit code: 0, or DIED when a loop has died.
    """
    allow_many_files()  # A post to a receiver that hangs holds its connection.
    start_http_server(settings.metrics_port, settings.metrics_host)
    database = Database(settings.database_url.get_secret_value(), STEWARD)
    redis_url = settings.redis_url.get_secret_value()
    await unless_unfit(database, redis_url, lambda: look_at_secrets(database, settings.box()))
    await database.close()
    here, died = asyncio.get_running_loop(), asyncio.Event()

    def on_dead(_: str) -> None:
        here.call_soon_threadsafe(died.set)

    thread = SweepingThread(settings, on_dead)
    async with delivering(settings, webhooks, on_dead):
        log.info("steward_started")
        await until_told(died.wait())
        await thread.stop()
    log.info("steward_stopped")
    return DIED if died.is_set() else 0


if __name__ == "__main__":
    settings_read = read(StewardSettings)
    set_up_logs("steward", settings_read.log_level)
    try:
        code = asyncio.run(serve(settings_read, read(WebhookSettings)))
    except JobError as error:
        log.error("steward_not_started", error=str(error))
        code = 1
    sys.exit(code)
