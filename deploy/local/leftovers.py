"""Which processes run, noted on disk: a run after a `kill -9` of the supervisor ends exactly those."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path

import psutil

from deploy.local.child import Child

END_SECONDS = 15


class Leftovers:
    """A file of (name, process id, start time) of every child of the present run."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def remember(self, child: Child) -> None:
        """Note a child that has just been started."""
        noted = self._noted()
        with contextlib.suppress(psutil.NoSuchProcess):
            noted.append((child.name, child.pid, psutil.Process(child.pid).create_time()))
        self._path.write_text(json.dumps(noted))

    def end(self) -> None:
        """End what an earlier run left: the same id and the same start time, the servers last."""
        for name, pid, created in reversed(self._noted()):
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if process.create_time() == created:
                    process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
                    process.wait(END_SECONDS)
        self.forget()

    def forget(self) -> None:
        """Nothing runs any more."""
        self._path.unlink(missing_ok=True)

    def _noted(self) -> list[tuple[str, int, float]]:
        try:
            return [(str(n), int(p), float(t)) for n, p, t in json.loads(self._path.read_text())]
        except (OSError, ValueError, TypeError):
            return []
