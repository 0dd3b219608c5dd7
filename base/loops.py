"""Background loops: each goes on after any error, and a process that has lost one says so and ends."""

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
"""The same kind of error of one loop is logged so often."""
STILL_SECONDS = 60
"""Far more than any step takes whose queries and calls are bounded."""
CANCELS = 20
DIED = 70
"""Exit code of a process that can't go on: sysexits' EX_SOFTWARE."""
ERRORS = Counter("til_loop_errors_total", "Errors that a background loop went on after.", ["loop"])
log = structlog.get_logger()
Step = Callable[[], Awaitable[object]]


@dataclass
class _Loop:
    name: str
    step: Step
    still_seconds: int | None
    quiet_seconds: int = 0
    pause: float = FIRST_PAUSE_SECONDS
    logged: dict[str, float] = field(default_factory=dict)


class Loops:
    """The background loops of one process, or of one of its threads. Used on one event loop.

    A step is called again and again. `dead` is the name of the first loop that has ended, or that has not
    ended a step for its `still_seconds`; `on_dead` is told of it, once. `seconds`: a clock that only goes
    forward.
    """

    def __init__(self, on_dead: Callable[[str], None], seconds: Callable[[], float] = time.monotonic) -> None:
        self.dead: str | None = None
        self._seconds = seconds
        self._turned_at: float | None = None
        self._on_dead = on_dead
        self._loops: list[_Loop] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    def start(self, name: str, step: Step, still_seconds: int | None = STILL_SECONDS) -> None:
        """Call `step` from now on; with `still_seconds` None it may wait for as long as it likes."""
        if not self._tasks:
            self._run("watch", self._watch())
        loop = _Loop(name, step, still_seconds)
        self._loops.append(loop)
        self._run(name, self._for_ever(loop))

    def still_for(self) -> float:
        """Seconds for which the event loop has not turned; 0 before it has begun to. From any thread."""
        return 0.0 if self._turned_at is None else self._seconds() - self._turned_at

    def cancel(self) -> None:
        """End all of them, and wait for none."""
        self._closing = True
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """End all of them; a step in which a library swallowed that (redis-py does) is told again."""
        for _ in range(CANCELS):
            self.cancel()
            if not self._tasks or not (await asyncio.wait(self._tasks, timeout=0.1))[1]:
                break

    def _run(self, name: str, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda ended: self._ended(name, ended))
        self._tasks.append(task)

    async def _for_ever(self, loop: _Loop) -> None:
        """Until cancelled, also where a library makes another error of that."""
        while not _is_cancelled():
            try:
                await loop.step()
                loop.pause = FIRST_PAUSE_SECONDS
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a loop's outermost: told
                if _is_cancelled():
                    return
                _report(loop, error)
                await asyncio.sleep(loop.pause)
                loop.pause = min(LONGEST_PAUSE_SECONDS, loop.pause * 2)
            loop.quiet_seconds = 0

    async def _watch(self) -> None:
        """Counts seconds that this process was awake: one that was frozen itself has lost no loop."""
        while True:
            self._turned_at = self._seconds()
            await asyncio.sleep(1)
            for loop in self._loops:
                loop.quiet_seconds += 1
                if loop.still_seconds is not None and loop.quiet_seconds > loop.still_seconds:
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
