"""Redaction in an api: small requests at once, larger ones in threads of their own, in bounds."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from base.errors import TooManyWaiting
from til.redaction.redact import Redactions, is_suspicious, redact, texts
from til.request import TilRequest

SMALL_CHARACTERS = 8_192
"""Up to here nothing takes longer than a millisecond or two."""
MEDIUM_CHARACTERS = 65_536
"""Up to here a request without anything suspicious takes as little."""
LARGE_CHARACTERS = 256 * 1024
"""From here on a request has to wait for other large ones alone, and delays no smaller one."""


class Redactor:
    """One per api. Requests wait for one of two threads, by size; no more than `most_characters` in all."""

    def __init__(self, most_characters: int) -> None:
        self._most = most_characters
        self._waiting = 0
        self._medium = ThreadPoolExecutor(1, "redact")
        self._large = ThreadPoolExecutor(1, "redact-large")

    async def redact(self, request: TilRequest) -> tuple[TilRequest, Redactions]:
        """As `redact`, and the event loop goes on meanwhile. Raises TooManyWaiting."""
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
        """Begin nothing more, and wait for nothing."""
        for thread in (self._medium, self._large):
            thread.shutdown(wait=False, cancel_futures=True)
