"""The steward: deliveries on one event loop, sweeping on another, so that neither waits for the other.

Several stewards may run at once; each goes on working while Redis is away.
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
from signals.servers import check_servers
from steward.delivering import delivering, until_signalled
from steward.settings import StewardSettings
from steward.sweeping import SweepingThread
from tenants.secrets import check_secrets
from webhooks.settings import WebhookSettings

log = structlog.get_logger()


async def serve(settings: StewardSettings, webhooks: WebhookSettings) -> int:
    """Run one steward until SIGTERM or SIGINT, then wait for the webhooks in flight, or for a second signal.

    Returns the exit code: 0, or DIED when a loop has died.
    """
    allow_many_files()  # Each webhook in flight holds a connection.
    start_http_server(settings.metrics_port, settings.metrics_host)
    database = Database(settings.database_url.get_secret_value(), STEWARD)
    redis_url = settings.redis_url.get_secret_value()
    await check_servers(database, redis_url, lambda: check_secrets(database, settings.box()))
    await database.close()
    loop, died = asyncio.get_running_loop(), asyncio.Event()

    def on_dead(_: str) -> None:
        loop.call_soon_threadsafe(died.set)

    thread = SweepingThread(settings, on_dead)
    async with delivering(settings, webhooks, on_dead):
        log.info("steward_started")
        await until_signalled(died.wait())
        await thread.stop()
    log.info("steward_stopped")
    return DIED if died.is_set() else 0


if __name__ == "__main__":
    settings_read = StewardSettings()
    set_up_logs("steward", settings_read.log_level)
    try:
        code = asyncio.run(serve(settings_read, WebhookSettings()))
    except JobError as error:
        log.error("steward_not_started", error=str(error))
        code = 1
    sys.exit(code)
