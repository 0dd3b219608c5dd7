"""What a process needs of its servers, looked at when it starts: PostgreSQL and Redis together."""

from __future__ import annotations

import asyncio

import structlog

from base.database import Database
from base.errors import DatabaseUnavailable
from base.preflight import postgres
from signals.preflight import redis

SECONDS = 5.0
log = structlog.get_logger()


async def ready_to_start(database: Database, redis_url: str) -> None:
    """Raise UnfitServer, or DatabaseUnavailable where PostgreSQL is away; the rest is told in the log."""
    for note in await redis(redis_url):
        log.warning("redis", note=note)
    for note in await postgres(database):
        log.warning("postgres", note=note)


async def unless_unfit(database: Database, redis_url: str) -> None:
    """The same for a process that waits for its servers. Raises UnfitServer."""
    try:
        async with asyncio.timeout(SECONDS):
            await ready_to_start(database, redis_url)
    except (DatabaseUnavailable, TimeoutError) as error:
        log.warning("database_unavailable", error=repr(error.__cause__ or error)[:200])
