"""Records attempts by group commit: those that end while a batch is written form the next batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import DBAPIError

from base.batcher import Batcher
from base.database import Database
from base.errors import DatabaseUnavailable
from webhooks import endpoints
from webhooks.record import RecordedAttempt, record
from webhooks.sender import CRASHED
from webhooks.urls import host_of

TRIES = 10
log = structlog.get_logger()


class Recorder:
    """Writes attempts, and counts the failures of their URLs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher: Batcher[RecordedAttempt, None] = Batcher(self._store)

    async def add(self, recorded: RecordedAttempt) -> None:
        """Return once it is recorded, or after ten failed tries: then it is sent again after its lease."""
        await self._batcher.add(recorded)

    async def _store(self, batch: Sequence[RecordedAttempt]) -> list[Exception | None]:
        await self._record(batch)
        await self._count_failures(batch)
        return [None] * len(batch)

    async def _record(self, recorded: Sequence[RecordedAttempt]) -> None:
        for _ in range(TRIES):
            try:
                async with self._database.session() as session:
                    await record(session, recorded)
                return
            except DatabaseUnavailable as error:
                log.warning("attempts_not_recorded", attempts=len(recorded), error=error.reason)
                await asyncio.sleep(1)
            except DBAPIError as error:
                log.error("attempts_refused", attempts=len(recorded), error=type(error.orig).__name__)
                await self._one_by_one(recorded)
                return

    async def _one_by_one(self, recorded: Sequence[RecordedAttempt]) -> None:
        """Record a batch in which the database refuses a value. Of the attempt with that value it is only
        recorded that it was made, so that the retry schedule goes on."""
        if len(recorded) > 1:
            for one in recorded:
                await self._record([one])
        elif recorded[0].attempt.error != CRASHED:
            await self._record([recorded[0].without_response()])

    async def _count_failures(self, recorded: Sequence[RecordedAttempt]) -> None:
        """In a transaction of its own, so that the attempts are recorded even if this fails."""
        succeeded = {one.claimed.endpoint for one in recorded if one.attempt.delivered}
        failed = {one.claimed.endpoint for one in recorded if not one.attempt.delivered} - succeeded
        try:
            async with self._database.session() as session:
                if succeeded:
                    await endpoints.forget_failures(session, succeeded)
                disabled = await endpoints.count_failures(session, failed) if failed else []
        except DatabaseUnavailable as error:
            log.warning("endpoint_failures_not_counted", error=error.reason)
            return
        for tenant_id, url in disabled:
            log.warning("endpoint_disabled", tenant_id=str(tenant_id), host=host_of(url))
