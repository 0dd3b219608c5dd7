"""Reading claimed jobs' requests: off the loop, one large one at a time, a bounded number held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from pydantic_core import from_json

from base.database import Database
from base.errors import DatabaseUnavailable
from jobs.claim import request_json
from jobs.fence import Claim
from til.request import ChangedFile, TilRequest
from worker.engines import EngineRefused

HELD_CHARACTERS = 32 * 1024 * 1024
"""Of all large requests that are read and not yet finished with; one alone may be larger."""
LARGE_CHARACTERS = 256 * 1024
FETCHES_AT_ONCE = 4
AGAIN_SECONDS = 0.5
log = structlog.get_logger()


class Reader:
    """Fetches and decodes requests. One worker has one.

    Decoding and packing hold Python's lock, so that one large day at a time does either, and beside it one
    small day, which does not wait for large ones.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fetching = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._small, self._large = asyncio.Semaphore(1), asyncio.Semaphore(1)
        self._held = 0
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def request(self, claim: Claim) -> AsyncIterator[tuple[TilRequest, asyncio.Semaphore]]:
        """The request, held until the end of the block, and what to hold while it is packed.

        An outage is waited out. Raises ClaimLost, EngineRefused.
        """
        async with self._fetching:
            text = await self._fetch(claim)
        if len(text) < LARGE_CHARACTERS:
            async with self._small:
                request = await asyncio.to_thread(decoded, text)
            yield request, self._small
            return
        async with self._room(len(text)):
            async with self._large:
                request = await asyncio.to_thread(decoded, text)
            del text
            yield request, self._large

    async def _fetch(self, claim: Claim) -> str:
        while True:
            try:
                async with self._database.session() as session:
                    return await request_json(session, claim)
            except DatabaseUnavailable as error:
                log.warning("fetch_delayed", error=error.reason)
            await asyncio.sleep(AGAIN_SECONDS)

    @asynccontextmanager
    async def _room(self, size: int) -> AsyncIterator[None]:
        async with self._freed:
            await self._freed.wait_for(lambda: self._held == 0 or self._held + size <= HELD_CHARACTERS)
            self._held += size
        try:
            yield
        finally:
            self._held -= size
            async with self._freed:
                self._freed.notify_all()


def decoded(text: str) -> TilRequest:
    """The request that was stored, maybe by a newer version: fields that this one doesn't know are ignored.

    File by file: between two of them Python's lock is free for the loop. Raises EngineRefused.
    """
    try:
        stored = from_json(text)
        if not isinstance(stored, dict):
            raise TypeError
        files = [ChangedFile.model_validate(file, extra="ignore") for file in stored.get("files", ())]
        return TilRequest.model_validate(stored | {"files": files}, extra="ignore")
    except (ValueError, TypeError) as error:
        log.error("request_unreadable", error=type(error).__name__)
        raise EngineRefused("The job's stored request can't be read.") from None
