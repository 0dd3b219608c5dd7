"""Group commit of attempts: those that end while a batch is being recorded are recorded in the next one."""

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
    """Writes what came of attempts, and holds it against their URLs or in favour of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher: Batcher[RecordedAttempt, None] = Batcher(self._store)

    async def add(self, recorded: RecordedAttempt) -> None:
        """Return once it is recorded, or can't be for long: then it is posted again after its lease."""
        await self._batcher.add(recorded)

    async def _store(self, batch: Sequence[RecordedAttempt]) -> list[Exception | None]:
        await self._record(batch)
        await self._judge(batch)
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
        """What can't be stored of one attempt costs no other; and it counts, or it would be made for ever."""
        if len(recorded) > 1:
            for one in recorded:
                await self._record([one])
        elif recorded[0].attempt.error != CRASHED:
            await self._record([recorded[0].bare()])

    async def _judge(self, recorded: Sequence[RecordedAttempt]) -> None:
        """In transactions of its own: it may fail, the record may not."""
        well = {one.due.endpoint for one in recorded if one.attempt.delivered}
        badly = {one.due.endpoint for one in recorded if not one.attempt.delivered} - well
        try:
            async with self._database.session() as session:
                if well:
                    await endpoints.succeeded(session, well)
                disabled = await endpoints.failed(session, badly) if badly else []
        except DatabaseUnavailable as error:
            log.warning("endpoints_not_judged", error=error.reason)
            return
        for tenant_id, url in disabled:
            log.warning("endpoint_disabled", tenant_id=str(tenant_id), host=host_of(url))
