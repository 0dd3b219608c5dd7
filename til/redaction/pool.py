"""Redaction in an api process: small requests on the event loop, larger ones in two threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from base.errors import TooManyWaiting
from til.redaction.redact import Redactions, is_suspicious, redact, texts
from til.request import TilRequest

SMALL_CHARACTERS = 8_192
"""A request up to this size is redacted on the event loop: it takes 2 ms at most."""
MEDIUM_CHARACTERS = 65_536
"""So is one up to this size in which nothing is suspicious."""
LARGE_CHARACTERS = 256 * 1024
"""From this size on a request goes to the thread for large ones, where it delays no smaller one."""


class Redactor:
    """One per api process. `most_characters` is the limit of all requests that wait for a thread together."""

    def __init__(self, most_characters: int) -> None:
        self._most = most_characters
        self._waiting = 0
        self._medium = ThreadPoolExecutor(1, "redact")
        self._large = ThreadPoolExecutor(1, "redact-large")

    async def redact(self, request: TilRequest) -> tuple[TilRequest, Redactions]:
        """As `til.redaction.redact.redact`, without blocking the event loop. Raises TooManyWaiting."""
        size = sum(map(len, texts(request)))
        if size <= SMALL_CHARACTERS or (size <= MEDIUM_CHARACTERS and not is_suspicious(request)):
            return redact(request)
        if self._waiting and self._waiting + size > self._most:
            raise TooManyWaiting
        thread = self._medium if size < LARGE_CHARACTERS else self._large
        self._waiting += size
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, redact, request)
        finally:
            self._waiting -= size

    def close(self) -> None:
        """Drop what waits, and don't wait for what runs."""
        for thread in (self._medium, self._large):
            thread.shutdown(wait=False, cancel_futures=True)
