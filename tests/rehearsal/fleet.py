"""The workers of one Deployment, started and drained as a cluster does: SIGTERM, after the grace SIGKILL."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

from tests.stack.processes import Process, Stack


@dataclass
class Draining:
    """A worker that was told to end, and when its grace is over (monotonic seconds)."""

    process: Process
    killed_at: float


class Fleet:
    """Runs as many workers as `scale` was last told. `wrong` lists ends that no scale-in explains."""

    def __init__(self, stack: Stack, settings: dict[str, str], grace_seconds: float) -> None:
        self.started = 0
        self.drained = 0
        self.wrong: list[str] = []
        self._stack = stack
        self._settings = settings
        self._grace_seconds = grace_seconds
        self._running: list[Process] = []
        self._draining: list[Draining] = []

    def scale(self, replicas: int) -> None:
        """Start workers, or drain the youngest ones, until so many are left."""
        while len(self._running) < replicas:
            self._running.append(self._stack.start("worker", **self._settings))
            self.started += 1
        while len(self._running) > replicas:
            process = self._running.pop()
            process.ask_to_stop()
            self._draining.append(Draining(process, time.monotonic() + self._grace_seconds))

    def look(self) -> int:
        """See who has ended, kill whose grace is over; how many processes are left."""
        for process in [one for one in self._running if one.popen.poll() is not None]:
            self.wrong.append(f"{process.name} ended by itself with {process.popen.poll()}")
            self._running.remove(process)
        for one in list(self._draining):
            code = one.process.popen.poll()
            if code is None and time.monotonic() < one.killed_at:
                continue
            self._draining.remove(one)
            self.drained += 1
            if code is None:
                self.wrong.append(f"{one.process.name} was killed: its drain took longer than its grace")
                one.process.stop(signal.SIGKILL)
            elif code:
                self.wrong.append(f"{one.process.name} was drained and ended with {code}")
        return len(self._running) + len(self._draining)
