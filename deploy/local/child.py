"""A child process. It has its own session, so that Ctrl-C in the terminal reaches only the supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

TAIL_BYTES = 4096


class ChildFailed(Exception):
    """A child process did not come up; the message is one sentence for a person."""


class Child:
    """One process, whose output goes to `log`. `spawned` is called after each start, with this object."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self.spawned: Callable[[Child], None] = lambda _: None
        self._command = list(command)
        self._popen: subprocess.Popen[bytes] | None = None
        self._spawned_with: tuple[Mapping[str, str] | None, dict[str, Any]] = (None, {})
        self.spawned_at = 0.0

    @property
    def pid(self) -> int:
        """The process id; 0 before the start."""
        return self._popen.pid if self._popen else 0

    def spawn(self, environment: Mapping[str, str] | None = None, **options: Any) -> None:
        """Start it; its output is appended to the log."""
        self._spawned_with = (environment, options)
        self.spawned_at = time.monotonic()
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
        self.spawned(self)

    def respawn(self) -> None:
        """Start it again, with the environment and options of the last start."""
        environment, options = self._spawned_with
        self.spawn(environment, **options)

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()` is true. Raises ChildFailed if the process ends first, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running():
                raise ChildFailed(f"{self.name} did not start: {self.last_line()} (more in {self.log})")
            if time.monotonic() > deadline:
                raise ChildFailed(f"{self.name} was not ready within {seconds:.0f} s (see {self.log})")
            time.sleep(0.03)

    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self.exit_code() is None and self._popen is not None

    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs and before the start."""
        return self._popen.poll() if self._popen else None

    def tail(self) -> list[str]:
        """The last lines of its log, at most 4 KiB of them."""
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            return log.read(TAIL_BYTES).decode(errors="replace").strip().splitlines()
        return []

    def last_line(self) -> str:
        """The log's last line with FATAL, or else its last line."""
        lines = self.tail() or ["no output"]
        return next((line for line in reversed(lines) if "FATAL" in line), lines[-1])[:500]

    def why_ended(self) -> str:
        """A sentence for a person about an unexpected end."""
        return f"{self.name} ended by itself: {self.last_line()} (more in {self.log})"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, if it still runs."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(number)

    def kill(self) -> None:
        """Kill it and its whole process group."""
        if self._popen is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def wait(self, seconds: float) -> None:
        """Wait for its end, at most `seconds`."""
        if self._popen is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(seconds)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 10) -> None:
        """Send the signal; if it still runs after `seconds`, kill it and its process group."""
        self.send(number)
        self.wait(seconds)
        if self.running():
            self.kill()
