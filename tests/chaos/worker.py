"""`python -m tests.chaos.worker`: a worker whose engine fails on SIGWINCH and dies on SIGUSR2."""

from __future__ import annotations

import asyncio
import signal
from types import FrameType
from typing import Any

from tests.stack.worker import serve_with
from worker.engines import Call, Completion, EngineDead, EngineFailed, OnText
from worker.engines.outline.engine import OutlineEngine
from worker.settings import WorkerSettings


class Breakable(OutlineEngine):
    """The outline engine; what breaks it reaches every call that it is writing."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._writing: set[asyncio.Future[None]] = set()

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Write, unless it breaks meanwhile."""
        broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writing.add(broken)
        writing = asyncio.create_task(super().generate(call, on_text))
        try:
            waited: list[asyncio.Future[Any]] = [broken, writing]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if broken.done():
                broken.result()
            return writing.result()
        finally:
            self._writing.discard(broken)
            writing.cancel()

    def break_with(self, error: type[Exception]) -> None:
        """Every call that is being written ends with this error. From any thread."""
        for broken in list(self._writing):
            broken.get_loop().call_soon_threadsafe(_set, broken, error("broken by chaos"))


def _set(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def main() -> None:
    """Serve; answer the two signals (SIGUSR1 is Celery's own)."""
    settings = WorkerSettings()
    engine = Breakable(settings.outline_seconds)

    def on_signal(number: int, _: FrameType | None) -> None:
        engine.break_with(EngineFailed if number == signal.SIGWINCH else EngineDead)

    for number in (signal.SIGWINCH, signal.SIGUSR2):
        signal.signal(number, on_signal)
    serve_with(engine, settings)


if __name__ == "__main__":
    main()
