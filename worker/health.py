"""Health of a worker: `/healthz` is about its loops and its engine, `/readyz` whether it takes jobs."""

from __future__ import annotations

import time
from collections.abc import Callable

from worker.runtime import Runtime

START_SECONDS = 1800.0
"""Longer than any model takes to load, also from object storage."""
SILENT_SECONDS = 300.0
"""An in-process engine that has not answered for so long is considered hung; only a restart repairs that."""
REMOTE = "openai"
"""The engine that calls another server: if that does not answer, a restart of the worker does not help."""


class WorkerHealth:
    """The faults of a worker, by name. `seconds`: a monotonic clock."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._began = seconds()
        self._runtime: Runtime | None = None

    def started(self, runtime: Runtime) -> None:
        """Call when the engine is loaded and the worker has registered."""
        self._runtime = runtime

    def alive(self) -> list[str]:
        """Faults: a stalled or dead loop, a hung engine, a start that takes too long."""
        runtime = self._runtime
        if runtime is None:
            return ["starting"] if self._seconds() - self._began > START_SECONDS else []
        silent = runtime.engine.info.engine != REMOTE and runtime.heartbeat.silent_seconds() > SILENT_SECONDS
        checks = {
            "engine_loop": runtime.loops.is_stalled(),
            f"loop {runtime.loops.dead}": runtime.loops.dead is not None,
            "engine_silent": silent,
        }
        return [name for name, failed in checks.items() if failed]

    def ready(self) -> list[str]:
        """Faults that keep it from taking jobs. None: the engine answers and doorbells are consumed."""
        runtime = self._runtime
        if runtime is None:
            return ["starting"]
        checks = {
            "draining": runtime.draining.is_set(),
            "engine_silent": not runtime.heartbeat.engine_answers,
            "consumer": not runtime.consumer.ready,
        }
        return self.alive() + [name for name, failed in checks.items() if failed]
