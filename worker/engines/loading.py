"""The progress of an engine's start, which takes minutes, for the log and for Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import structlog
from prometheus_client import Gauge

EVERY_SECONDS = 10.0
STAGES = ("load", "digest", "warm_up", "ready")
STAGE = Gauge("til_engine_load_stage", "1 for the present stage of the engine's start.", ["stage"])
SECONDS = Gauge("til_engine_load_seconds", "Seconds so far in each stage of the engine's start.", ["stage"])
log = structlog.get_logger()


class Loading:
    """The start of one engine. `weights_bytes`: the size of the weights; None: not known."""

    def __init__(self, weights_bytes: int | None = None, every_seconds: float = EVERY_SECONDS) -> None:
        self._weights_bytes = weights_bytes
        self._every_seconds = every_seconds
        self._began = time.monotonic()
        for stage in STAGES:
            STAGE.labels(stage).set(0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage, and log every `every_seconds` from a thread how far it is."""
        began, over = time.monotonic(), threading.Event()
        _enter(name)
        SECONDS.labels(name).set_function(lambda: time.monotonic() - began)
        threading.Thread(
            target=self._log_progress, args=(name, began, over), name="loading", daemon=True
        ).start()
        try:
            yield
        finally:
            over.set()
            took = time.monotonic() - began
            SECONDS.labels(name).set_function(lambda: took)
        log.info("engine_stage_done", stage=name, seconds=round(took, 1))

    def ready(self, **what: str | None) -> None:
        """The engine can generate. The seconds of the stage `ready` are those of the whole start."""
        took = time.monotonic() - self._began
        _enter("ready")
        SECONDS.labels("ready").set_function(lambda: took)
        log.info("engine_ready", seconds=round(took, 1), **what)

    def _log_progress(self, name: str, began: float, over: threading.Event) -> None:
        while not over.wait(self._every_seconds):
            log.info(
                "engine_loading",
                stage=name,
                seconds=round(time.monotonic() - began),
                bytes_read=read_by_children(),
                weights_bytes=self._weights_bytes,
            )


def _enter(name: str) -> None:
    for stage in STAGES:
        STAGE.labels(stage).set(stage == name)


def read_by_children() -> int | None:
    """Bytes that the engine's processes have read from disk, not from the page cache; None: not known."""
    try:
        children = psutil.Process().children(recursive=True)
        return sum(child.io_counters().read_bytes for child in children)
    except (psutil.Error, AttributeError, NotImplementedError):
        return None
