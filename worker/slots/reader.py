"""Fetches and decodes the requests of claimed jobs, in threads and with bounded memory."""

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
"""Of all large requests in memory together; a single one may be larger."""
LARGE_CHARACTERS = 256 * 1024
FETCHES_AT_ONCE = 4
RETRY_SECONDS = 0.5
log = structlog.get_logger()


class RequestReader:
    """One per worker. Decoding a request and packing its prompt hold the GIL: so of large requests one at a
    time does either, and of small ones one at a time, which does not wait for the large ones.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fetching = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._small, self._large = asyncio.Semaphore(1), asyncio.Semaphore(1)
        self._held = 0
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def request(self, claim: Claim) -> AsyncIterator[tuple[TilRequest, asyncio.Semaphore]]:
        """The request, counted against the memory until the block ends, and the semaphore for packing it.

        Retries while the database is away. Raises ClaimLost, EngineRefused.
        """
        async with self._fetching:
            text = await self._fetch(claim)
        if len(text) < LARGE_CHARACTERS:
            async with self._small:
                request = await asyncio.to_thread(decode, text)
            yield request, self._small
            return
        async with self._memory(len(text)):
            async with self._large:
                request = await asyncio.to_thread(decode, text)
            del text
            yield request, self._large

    async def _fetch(self, claim: Claim) -> str:
        while True:
            try:
                async with self._database.session() as session:
                    return await request_json(session, claim)
            except DatabaseUnavailable as error:
                log.warning("fetch_delayed", error=error.reason)
            await asyncio.sleep(RETRY_SECONDS)

    @asynccontextmanager
    async def _memory(self, size: int) -> AsyncIterator[None]:
        async with self._freed:
            await self._freed.wait_for(lambda: self._held == 0 or self._held + size <= HELD_CHARACTERS)
            self._held += size
        try:
            yield
        finally:
            self._held -= size
            async with self._freed:
                self._freed.notify_all()


def decode(text: str) -> TilRequest:
    """The stored request. Unknown fields are ignored: a newer version may have stored it.

    It decodes file by file, so that the event loop can get the GIL in between. Raises EngineRefused.
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
