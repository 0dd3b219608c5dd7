"""How a worker is: `/healthz` asks whether its loops turn, `/readyz` whether it takes jobs."""

from __future__ import annotations

import time
from collections.abc import Callable

from base.loops import STALLED_SECONDS
from worker.runtime import Runtime

START_SECONDS = 1800.0
"""More than any model takes to load, from object storage included."""
SILENT_SECONDS = 300.0
"""An engine in this process that has not answered for so long won't: only a new process mends that."""
REMOTE = "openai"
"""The engine whose silence is another server's, which no restart of this process mends."""


class WorkerHealth:
    """Says what is wrong, a word each. `seconds`: a clock that only goes forward."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._began = seconds()
        self._runtime: Runtime | None = None

    def started(self, runtime: Runtime) -> None:
        """Its engine is loaded, and it has registered."""
        self._runtime = runtime

    def alive(self) -> list[str]:
        """A loop that is stalled, an engine that has long been silent, a start that does not end."""
        runtime = self._runtime
        if runtime is None:
            return ["starting"] if self._seconds() - self._began > START_SECONDS else []
        silent = runtime.engine.info.engine != REMOTE and runtime.heartbeat.silent_seconds() > SILENT_SECONDS
        faults = {
            "engine_loop": runtime.loops.stalled_for() > STALLED_SECONDS,
            f"loop {runtime.loops.dead}": runtime.loops.dead is not None,
            "engine_silent": silent,
        }
        return [name for name, wrong in faults.items() if wrong]

    def ready(self) -> list[str]:
        """What keeps it from jobs; nothing: the engine is warm and answers, and doorbells are heard."""
        runtime = self._runtime
        if runtime is None:
            return ["starting"]
        faults = {
            "draining": runtime.draining.is_set(),
            "engine_silent": not runtime.heartbeat.engine_answers,
            "consumer": not runtime.consumer.ready,
        }
        return self.alive() + [name for name, wrong in faults.items() if wrong]
