"""`python -m tests.bench.path.apps.worker`: the product's worker, whose engine takes `BENCH_SECONDS` a call.

Its answer is the outline of the day, which is written once for each of the bench's few hundred days: so it
costs no time, and all else is the product's.
"""

from __future__ import annotations

import asyncio
import os
import signal

from prometheus_client import start_http_server

from base.logs import set_up_logs
from worker.__main__ import interrupted, serve
from worker.engines import Call, Completion, OnText
from worker.engines.outline.draft import outline
from worker.engines.outline.engine import OutlineEngine, allowed
from worker.runtime import Runtime
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
    settings = WorkerSettings()
    set_up_logs("worker", settings.log_level)
    start_http_server(settings.metrics_port, settings.metrics_host)
    runtime = Runtime(settings, FixedEngine(float(os.environ.get("BENCH_SECONDS") or 0)))
    runtime.start()
    serve(settings, runtime)
