"""Records the start of a worker in PostgreSQL, to detect that a model's workers fail again and again."""

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

RECORD_SECONDS = 3.0


@contextmanager
def recorded_start(database_url: str, alias: str) -> Iterator[None]:
    """Record a start around the block. An error is a failed start; a signal to stop or no database is not."""
    start_id, host = uuid.uuid4(), socket.gethostname()
    _record(database_url, lambda session: worker_starts.begin(session, start_id, host, alias))
    try:
        yield
    except (DatabaseUnavailable, SystemExit, KeyboardInterrupt):
        _record(database_url, lambda session: worker_starts.forget(session, start_id))
        raise
    except BaseException:
        _record(database_url, lambda session: worker_starts.failed(session, start_id))
        raise
    _record(database_url, lambda session: worker_starts.forget(session, start_id))


def _record(database_url: str, write: Callable[[AsyncSession], Awaitable[None]]) -> None:
    """Best effort: a start does not fail because it can't be recorded."""

    async def record() -> None:
        database = Database(database_url, WORKER)
        try:
            async with database.session(RECORD_SECONDS) as session:
                await write(session)
        finally:
            await database.close()

    with contextlib.suppress(JobError):
        asyncio.run(record())
