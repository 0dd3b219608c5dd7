"""Backpressure of an engine's server: one gate at which all calls of a worker, and its claims, wait."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from worker.engines import EngineBusy
from worker.metrics import BACKPRESSURE, BACKPRESSURE_SECONDS

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0
"""Without a `Retry-After` the pauses double from the first to the longest."""
LONGEST_ASKED_SECONDS = 600.0
"""A longer `Retry-After` is cut to this."""
LONGEST_WAIT_SECONDS = 60.0
"""A run does not hold its slot for a longer wait: its job goes back to the queue."""
JITTER = 0.1
REFUSALS_IN_A_ROW = 3
"""So many calls in a row that are refused for a reason that may affect all calls close the gate."""


class Backpressure:
    """When calls may be sent again, and how many at once. Times are of `time.monotonic`.

    A rejected call closes the gate for as long as the server asks, else for a pause that doubles, and lowers
    the limit of calls at once to the number that the engine has taken. Each call that succeeds raises the
    limit: by one up to half of what it was before, above that by one in as many calls as the limit ("slow
    start" and "congestion avoidance", RFC 5681), until there is none any more. `on_open` is called when more
    jobs may be claimed.
    """

    def __init__(self, slots: int = 1000) -> None:
        self.on_open: Callable[[], None] = lambda: None
        self._slots = slots
        self._opens_at = 0.0
        self._closed_at = float("-inf")
        self._rejections = 0
        self._refusals = 0
        self._limit: float | None = None
        self._threshold = float(slots)
        self._inside = 0
        self._waiting = 0
        self._changed = asyncio.Event()
        BACKPRESSURE_SECONDS.set_function(self.seconds)

    def seconds(self) -> float:
        """Seconds until the gate opens; 0: it is open."""
        return max(0.0, self._opens_at - time.monotonic())

    def claimable(self, held: int) -> int | None:
        """How many more jobs may be claimed when `held` are in flight; None: no bound."""
        if self.seconds() > 0 or self._waiting:
            return 0
        return None if self._limit is None else max(0, int(self._limit) - held)

    async def enter(self, until: float) -> float:
        """Wait until a call may be sent; returns the time, for `rejected`. `leave` must follow.

        Raises EngineBusy when the call can't be sent before `until`.
        """
        while self.seconds() > 0 or (self._limit is not None and self._inside >= int(self._limit)):
            self._waiting += 1
            try:
                await self._wait(until)
            finally:
                self._waiting -= 1
        self._inside += 1
        return time.monotonic()

    async def _wait(self, until: float) -> None:
        now, closed = time.monotonic(), self.seconds()
        if closed > LONGEST_WAIT_SECONDS or now + closed >= until:
            raise EngineBusy("The model's server takes no more calls at the moment.", "", closed or None)
        spread = closed * (1 + JITTER * random.random())  # noqa: S311
        timeout = min(spread if closed else LONGEST_WAIT_SECONDS, until - now)
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            pass

    def leave(self) -> None:
        """A call has ended, successfully or not."""
        self._inside -= 1
        if self._limit is not None:
            self._wake()

    def succeeded(self) -> None:
        """A call has succeeded."""
        self._rejections = self._refusals = 0
        if self._limit is not None:
            self._limit += 1 if self._limit < self._threshold else 1 / self._limit
            if self._limit >= self._slots:
                self._limit = None
                self._wake()

    def rejected(self, sent_at: float, asked_seconds: float | None) -> None:
        """A call was not taken: close the gate for the seconds that the server asked for, if it did.

        Calls that were sent before the gate was last closed do not make the pauses longer.
        """
        BACKPRESSURE.inc()
        before = self._limit or float(self._inside)
        self._limit = float(max(1, self._inside - 1))
        if sent_at >= self._closed_at:
            self._rejections += 1
            self._threshold = max(self._limit, before / 2)
        self._close(asked_seconds)

    def refused(self) -> None:
        """A call was refused for a reason that may affect all calls."""
        self._refusals += 1
        if self._refusals >= REFUSALS_IN_A_ROW:
            self._rejections += 1
            self._close(None)

    def _close(self, asked_seconds: float | None) -> None:
        """The pause gets up to a tenth longer at random, since other workers were asked for the same."""
        pause = (
            FIRST_SECONDS * 2 ** (max(1, self._rejections) - 1) if self._rejections < 10 else LONGEST_SECONDS
        )
        pause = min(LONGEST_SECONDS, pause)
        if asked_seconds is not None:
            pause = min(LONGEST_ASKED_SECONDS, asked_seconds)
        pause *= 1 + JITTER * random.random()  # noqa: S311
        self._closed_at = time.monotonic()
        self._opens_at = max(self._opens_at, self._closed_at + pause)
        asyncio.get_running_loop().call_later(self.seconds() + 0.01, self._wake)

    def _wake(self) -> None:
        """Wake the waiting calls, unless the gate has been closed for longer meanwhile."""
        if self.seconds() > 0:
            return
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        asyncio.get_running_loop().call_soon(self.on_open)
