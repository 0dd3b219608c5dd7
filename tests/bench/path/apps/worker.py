"""`python -m tests.bench.path.apps.worker`: the product's worker, whose engine takes `BENCH_SECONDS` a call.

The engine's answer is an outline of the first request that it got: it costs no time, and all else is the
product's.
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
    """Every call takes the same time, and every answer is the same."""

    def __init__(self, call_seconds: float) -> None:
        super().__init__()
        self._call_seconds = call_seconds
        self._text = ""

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """The answer, after the time that it takes."""
        if not self._text:
            self._text = outline(call.request, *allowed(call.schema)).model_dump_json()
        if self._call_seconds:
            await asyncio.sleep(self._call_seconds)
        on_text(self._text, 100)
        return Completion(self._text, True, 1000, 0, 100)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    settings = WorkerSettings()
    set_up_logs("worker", settings.log_level)
    start_http_server(settings.metrics_port, settings.metrics_host)
    runtime = Runtime(settings, FixedEngine(float(os.environ.get("BENCH_SECONDS") or 0)))
    runtime.start()
    serve(settings, runtime)
