"""`python -m tests.bench.path.apps.worker`: the product's worker, whose engine takes `BENCH_SECONDS` a call.

Its answer is the outline of the day, which is written once for each of the bench's few hundred days: so it
costs no time, and all else is the product's.
"""

from __future__ import annotations

import asyncio
import os
import signal

from tests.stack.worker import serve_with
from worker.__main__ import interrupted
from worker.engines import Call, Completion, OnText
from worker.engines.outline.draft import outline
from worker.engines.outline.engine import OutlineEngine, allowed
from worker.settings import WorkerSettings


class FixedEngine(OutlineEngine):
    """Every call takes the same time."""

    def __init__(self, call_seconds: float) -> None:
        super().__init__()
        self._call_seconds = call_seconds
        self._texts: dict[str, str] = {}

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """The answer, after the time that it takes."""
        day = call.request.repo
        if day not in self._texts:
            self._texts[day] = outline(call.request, *allowed(call.schema)).model_dump_json()
        if self._call_seconds:
            await asyncio.sleep(self._call_seconds)
        on_text(self._texts[day], 100)
        return Completion(self._texts[day], True, 1000, 0, 100)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    serve_with(FixedEngine(float(os.environ.get("BENCH_SECONDS") or 0)), WorkerSettings())
