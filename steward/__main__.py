"""The steward: deliveries on one event loop, sweeping on another, so that neither waits for the other.

Two stewards at once do no harm; each works on while Redis is away.
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
from base.loops import DIED, STILL_SECONDS, Loops
from capacity.exported import EXPORTED, STALE_SECONDS
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
    health = Health()
    serve_health(settings.metrics_port, settings.metrics_host, health)
    database = Database(settings.database_url.get_secret_value(), STEWARD)
    redis_url = settings.redis_url.get_secret_value()
    await unless_unfit(database, redis_url, lambda: look_at_secrets(database, settings.box()))
    await database.close()
    here, died = asyncio.get_running_loop(), asyncio.Event()

    def on_dead(_: str) -> None:
        here.call_soon_threadsafe(died.set)

    sweeping, delivery = Loops(on_dead), Loops(on_dead)
    health.alive = lambda: still(sweeping=sweeping, delivering=delivery)
    health.ready = lambda: health.alive() + (["figures"] if EXPORTED.age_seconds > STALE_SECONDS else [])
    thread = SweepingThread(settings, sweeping, on_dead)
    async with delivering(settings, webhooks, delivery):
        log.info("steward_started")
        await until_told(died.wait())
        await thread.stop()
    log.info("steward_stopped")
    return DIED if died.is_set() else 0


def still(**threads: Loops) -> list[str]:
    """Those of these event loops that stand still or have lost a background loop."""
    return [name for name, loops in threads.items() if loops.dead or loops.still_for() > STILL_SECONDS]


if __name__ == "__main__":
    settings_read = StewardSettings()
    set_up_logs("steward", settings_read.log_level)
    try:
        code = asyncio.run(serve(settings_read, WebhookSettings()))
    except JobError as error:
        log.error("steward_not_started", error=str(error))
        code = 1
    sys.exit(code)
