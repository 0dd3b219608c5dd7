"""The steward: deliveries on one event loop, sweeping on another, so that neither delays the other.

Several stewards may run at once; each goes on working while Redis is unavailable.
"""

from __future__ import annotations

import asyncio
import sys

import structlog

from base.database import STEWARD, Database
from base.errors import JobError
from base.files import allow_many_files
from base.health import Health
from base.health import serve as serve_health
from base.logs import set_up_logs
from base.loops import DIED, Loops
from base.settings import read
from capacity.exported import EXPORTED, STALE_SECONDS
from signals.servers import check_servers
from steward.delivering import delivering, until_signalled
from steward.settings import StewardSettings
from steward.sweeping import SweepingThread
from tenants.secrets import check_secrets
from webhooks.settings import WebhookSettings

log = structlog.get_logger()


async def serve(settings: StewardSettings, webhooks: WebhookSettings) -> int:
    """Run until SIGTERM or SIGINT, then wait for the webhooks in flight; a second signal ends that wait.

    Returns the exit code: 0, or DIED when a loop has died.
    """
    allow_many_files()  # Each webhook in flight holds a connection.
    health = Health()
    serve_health(settings.metrics_port, settings.metrics_host, health)
    database = Database(settings.database_url.get_secret_value(), STEWARD)
    redis_url = settings.redis_url.get_secret_value()
    await check_servers(database, redis_url, lambda: check_secrets(database, settings.box()))
    await database.close()
    loop, died = asyncio.get_running_loop(), asyncio.Event()

    def on_dead(_: str) -> None:
        loop.call_soon_threadsafe(died.set)

    sweeping, delivery = Loops(on_dead), Loops(on_dead)
    health.alive = lambda: stalled(sweeping=sweeping, delivering=delivery)
    health.ready = lambda: health.alive() + (["figures"] if EXPORTED.age_seconds > STALE_SECONDS else [])
    thread = SweepingThread(settings, sweeping, on_dead)
    async with delivering(settings, webhooks, delivery):
        log.info("steward_started")
        await until_signalled(died.wait())
        await thread.stop()
    log.info("steward_stopped")
    return DIED if died.is_set() else 0


def stalled(**threads: Loops) -> list[str]:
    """The names of those event loops that are stalled or in which a background loop died."""
    return [name for name, loops in threads.items() if loops.dead or loops.is_stalled()]


if __name__ == "__main__":
    settings_read = read(StewardSettings)
    set_up_logs("steward", settings_read.log_level)
    try:
        code = asyncio.run(serve(settings_read, read(WebhookSettings)))
    except JobError as error:
        log.error("steward_not_started", error=str(error))
        code = 1
    sys.exit(code)
