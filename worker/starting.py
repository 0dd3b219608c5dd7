"""PostgreSQL hears that a worker begins to load, and how that ended: so it is known when none gets ready."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from base.database import WORKER, Database
from base.errors import DatabaseUnavailable, JobError
from capacity import worker_starts

TELL_SECONDS = 3.0


@contextmanager
def recorded_start(database_url: str, alias: str) -> Iterator[None]:
    """The start of a worker. An error is a failed start; being asked to stop, or no database, is none."""
    start_id, host = uuid.uuid4(), socket.gethostname()
    _tell(database_url, lambda session: worker_starts.begin(session, start_id, host, alias))
    try:
        yield
    except (DatabaseUnavailable, SystemExit, KeyboardInterrupt):
        _tell(database_url, lambda session: worker_starts.forget(session, start_id))
        raise
    except BaseException:
        _tell(database_url, lambda session: worker_starts.failed(session, start_id))
        raise
    _tell(database_url, lambda session: worker_starts.forget(session, start_id))


def _tell(database_url: str, say: Callable[[AsyncSession], Awaitable[None]]) -> None:
    """What can't be told is not known: no start fails for that."""

    async def tell() -> None:
        database = Database(database_url, WORKER)
        try:
            async with database.session(TELL_SECONDS) as session:
                await say(session)
        finally:
            await database.close()

    with contextlib.suppress(JobError):
        asyncio.run(tell())
