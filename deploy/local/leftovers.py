"""The supervisor's children, listed in a file, so that they can be ended after the supervisor was killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil

from deploy.local.child import Child

SERVERS = ("postgres", "valkey")
END_SECONDS = 15


class Leftovers:
    """A file of (name, process id, start time) of every child of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remember(self, child: Child) -> None:
        """Add a child that has just been started."""
        noted = self._noted()
        with contextlib.suppress(psutil.NoSuchProcess):
            noted.append((child.name, child.pid, psutil.Process(child.pid).create_time()))
        written = self.path.with_suffix(".new")
        written.write_text(json.dumps(noted))
        written.replace(self.path)

    def end(self) -> None:
        """End the listed processes that still run: first ours, then the servers."""
        running = list(self._running())
        for servers in (False, True):
            end({name: process for name, process in running if (name in SERVERS) is servers})
        self.forget()

    def forget(self) -> None:
        """Remove the file: no child runs any more."""
        self.path.unlink(missing_ok=True)

    def _running(self) -> Iterator[tuple[str, psutil.Process]]:
        """The listed processes that run: same id and start time, as the system reuses process ids."""
        for name, pid, created in self._noted():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if process.create_time() == created:
                    yield name, process

    def _noted(self) -> list[tuple[str, int, float]]:
        try:
            return [(str(n), int(p), float(t)) for n, p, t in json.loads(self.path.read_text())]
        except (OSError, ValueError, TypeError):
            return []


def end_all(folder: Path) -> None:
    """End the processes that earlier runs in this folder have left."""
    for path in folder.glob("children*.json"):
        Leftovers(path).end()


def end(processes: dict[str, psutil.Process]) -> None:
    """Ask all of them to end; after `END_SECONDS` kill the process groups of those that still run."""
    for name, process in processes.items():
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
    _, slow = psutil.wait_procs(list(processes.values()), END_SECONDS)
    for process in slow:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    psutil.wait_procs(slow, END_SECONDS)
