"""A child process in a session of its own, so that a terminal's Ctrl-C reaches only the supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


class ChildFailed(Exception):
    """A child process did not come up; the message is one sentence for a person."""


class Child:
    """One process, its output in `log`. `start` returns once `ready` is true."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 before the start."""
        return self._popen.pid if self._popen else 0

    def spawn(self, environment: Mapping[str, str] | None = None, **options: Any) -> None:
        """Start it; its output is appended to the log."""
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(  # noqa: S603 - our own commands
                self._command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                **options,
            )

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for the fact. Raises ChildFailed when the process ends or the time is up first."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running():
                raise ChildFailed(f"{self.name} did not start: {self.last_line()} (more in {self.log})")
            if time.monotonic() > deadline:
                raise ChildFailed(f"{self.name} was not ready within {seconds:.0f} s (see {self.log})")
            time.sleep(0.05)

    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def last_line(self) -> str:
        """The last line of its log."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            return lines[-1][:500] if lines else "no output"
        return "no output"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, if it still runs."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 10) -> None:
        """Ask it to end; when it hasn't after `seconds`, kill it and its own children."""
        if self._popen is None:
            return
        self.send(number)
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
