"""What a running job shows of itself: progress through Redis, and the text written so far."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from jobs.live import Live
from worker.meter import TokenRate
from worker.write import Progress

EVERY_SECONDS = 0.5


class _Seen:
    def __init__(self) -> None:
        self.began = time.monotonic()
        self.said = 0.0
        self.latest: Progress | None = None


class Watch:
    """Follows every run of this worker; at most two writes a second and job go to Redis."""

    def __init__(self, live: Live, rate: TokenRate) -> None:
        self._live = live
        self._rate = rate
        self._seen: dict[uuid.UUID, _Seen] = {}
        self._saying: set[asyncio.Task[None]] = set()

    def of(self, job_id: uuid.UUID, webhook: bool = False) -> Callable[[Progress], None]:
        """The callback for one run; a new run starts from nothing. `webhook`: its consumer wants progress."""
        seen = self._seen[job_id] = _Seen()

        def told(progress: Progress) -> None:
            before = seen.latest.completion_tokens if seen.latest else 0
            self._rate.add(progress.completion_tokens - before)
            seen.latest = progress
            if time.monotonic() - seen.said >= EVERY_SECONDS:
                seen.said = time.monotonic()
                shown = progress.as_json()
                self._say(self._live.put_progress(job_id, shown))
                if webhook:
                    self._say(self._live.push_progress(job_id, shown))

        return told

    def _say(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(what)
        self._saying.add(task)
        task.add_done_callback(self._saying.discard)

    def partial_text(self, job_id: uuid.UUID) -> str | None:
        """The markdown of what has been written so far, if anything."""
        seen = self._seen.get(job_id)
        return seen.latest.markdown() if seen and seen.latest else None

    def seconds(self, job_id: uuid.UUID) -> float:
        """How long the writing has been going on."""
        seen = self._seen.get(job_id)
        return time.monotonic() - seen.began if seen else 0.0

    def forget(self, job_id: uuid.UUID) -> None:
        """The run is over."""
        self._seen.pop(job_id, None)
