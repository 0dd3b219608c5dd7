"""What a process needs of its servers, looked at when it starts: PostgreSQL and Redis together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from base.database import Database
from base.errors import DatabaseUnavailable
from base.preflight import postgres
from signals.preflight import redis

SECONDS = 5.0
Look = Callable[[], Awaitable[list[str]]]
log = structlog.get_logger()


async def ready_to_start(database: Database, redis_url: str) -> None:
    """Raise UnfitServer, or DatabaseUnavailable where PostgreSQL is away; the rest is told in the log."""
    for note in await redis(redis_url):
        log.warning("redis", note=note)
    for note in await postgres(database):
        log.warning("postgres", note=note)


async def unless_unfit(database: Database, redis_url: str, look: Look | None = None) -> None:
    """The same for a process that waits for its servers, and what else it looks at. Raises UnfitServer."""
    try:
        async with asyncio.timeout(SECONDS):
            await ready_to_start(database, redis_url)
            for note in await look() if look else []:
                log.warning("secrets", note=note)
    except (DatabaseUnavailable, TimeoutError) as error:
        log.warning("database_unavailable", error=repr(error.__cause__ or error)[:200])
