"""Checks of PostgreSQL and Redis when a process starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from base.database import Database
from base.errors import DatabaseUnavailable
from base.preflight import postgres
from signals.preflight import redis

CHECK_SECONDS = 5.0
Check = Callable[[], Awaitable[list[str]]]
log = structlog.get_logger()


async def require_servers(database: Database, redis_url: str) -> None:
    """Check both and log warnings. Raises UnfitServer, and DatabaseUnavailable if PostgreSQL is away."""
    for note in await redis(redis_url):
        log.warning("redis", note=note)
    for note in await postgres(database):
        log.warning("postgres", note=note)


async def check_servers(database: Database, redis_url: str, secrets: Check | None = None) -> None:
    """The same for a process that starts without PostgreSQL too, and a check of its secrets. UnfitServer."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await require_servers(database, redis_url)
            for note in await secrets() if secrets else []:
                log.warning("secrets", note=note)
    except (DatabaseUnavailable, TimeoutError) as error:
        log.warning("database_unavailable", error=repr(error.__cause__ or error)[:200])
