"""Background loops: each continues after any error; a process in which one has died reports it and ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter

from base.errors import DatabaseUnavailable

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
LOG_EVERY_SECONDS = 10.0
"""An error of the same class in the same loop is logged at most this often."""
STALLED_SECONDS = 60
"""A step that takes longer is stuck: the timeouts of queries and calls are far shorter."""
CANCELS = 20
"""How often `close` cancels, 0.1 s apart."""
DIED = 70
"""Exit code of a process that can't go on: sysexits' EX_SOFTWARE."""
ERRORS = Counter("til_loop_errors_total", "Errors in background loops, which continued after them.", ["loop"])
log = structlog.get_logger()
Step = Callable[[], Awaitable[object]]


@dataclass
class _Loop:
    name: str
    step: Step
    stalled_seconds: int | None
    step_seconds: int = 0
    pause: float = FIRST_PAUSE_SECONDS
    logged: dict[str, float] = field(default_factory=dict)


class Loops:
    """The background loops of one process, or of one of its threads. Used on one event loop.

    Each loop calls its step again and again. A loop is dead when its task has ended, or when a step takes
    longer than `stalled_seconds`. `dead` is the name of the first dead one; `on_dead` is called once with it.
    `seconds`: a monotonic clock.
    """

    def __init__(self, on_dead: Callable[[str], None], seconds: Callable[[], float] = time.monotonic) -> None:
        self.dead: str | None = None
        self._seconds = seconds
        self._turned_at: float | None = None
        self._on_dead = on_dead
        self._loops: list[_Loop] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    def start(self, name: str, step: Step, stalled_seconds: int | None = STALLED_SECONDS) -> None:
        """Start a loop that calls `step`. With `stalled_seconds` None a step may take any time."""
        if not self._tasks:
            self._run("watchdog", self._find_stalled())
        loop = _Loop(name, step, stalled_seconds)
        self._loops.append(loop)
        self._run(name, self._repeat(loop))

    def is_stalled(self) -> bool:
        """Whether the event loop has begun, and has not turned for `STALLED_SECONDS`. From any thread."""
        return self._turned_at is not None and self._seconds() - self._turned_at > STALLED_SECONDS

    def cancel(self) -> None:
        """Cancel every loop without waiting for it."""
        self._closing = True
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Cancel every loop and wait; again where a library swallows the cancellation, as redis-py does."""
        for _ in range(CANCELS):
            self.cancel()
            if not self._tasks or not (await asyncio.wait(self._tasks, timeout=0.1))[1]:
                break

    def _run(self, name: str, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda ended: self._ended(name, ended))
        self._tasks.append(task)

    async def _repeat(self, loop: _Loop) -> None:
        """Runs until cancelled, also where a library turns the cancellation into another error."""
        while not _is_cancelled():
            try:
                await loop.step()
                loop.pause = FIRST_PAUSE_SECONDS
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - outermost; it is logged
                if _is_cancelled():
                    return
                _report(loop, error)
                await asyncio.sleep(loop.pause)
                loop.pause = min(LONGEST_PAUSE_SECONDS, loop.pause * 2)
            loop.step_seconds = 0

    async def _find_stalled(self) -> None:
        """Counts its own ticks, not clock time: after a suspension of the whole process no loop is dead."""
        while True:
            self._turned_at = self._seconds()
            await asyncio.sleep(1)
            for loop in self._loops:
                loop.step_seconds += 1
                if loop.stalled_seconds is not None and loop.step_seconds > loop.stalled_seconds:
                    self._declare_dead(loop.name, None)

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        if not self._closing:
            self._declare_dead(name, None if task.cancelled() else task.exception())

    def _declare_dead(self, name: str, error: BaseException | None) -> None:
        if self.dead is None:
            self.dead = name
            log.error("loop_dead", loop=name, exc_info=error)
            self._on_dead(name)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _report(loop: _Loop, error: BaseException) -> None:
    ERRORS.labels(loop.name).inc()
    kind, now = type(error).__name__, time.monotonic()
    if now - loop.logged.get(kind, float("-inf")) < LOG_EVERY_SECONDS:
        return
    loop.logged[kind] = now
    if isinstance(error, DatabaseUnavailable):
        log.warning("database_unavailable", loop=loop.name, error=error.reason)
    else:
        log.error("loop_failed", loop=loop.name, exc_info=error)
