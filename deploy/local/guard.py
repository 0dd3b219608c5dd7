"""A guard process that ends the supervisor's children after the supervisor was killed.

`python -m deploy.local.guard FILE` reads its standard input, a pipe whose other end only the supervisor has.
At end of file the supervisor is gone, however it ended, and the processes listed in FILE are ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from deploy.local.child import Child
from deploy.local.leftovers import Leftovers

LOOK_SECONDS = 0.5


class Guard:
    """Ends the children of this process if this process ends without calling `release`."""

    def __init__(self, folder: Path) -> None:
        self._children = Leftovers(folder / f"children-{os.getpid()}.json")
        self._log = folder / "log" / "guard.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the guard's process; it ends by itself soon after this one."""
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "deploy.local.guard", str(self._children.path)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def remember(self, child: Child) -> None:
        """Guard a child that has just been started."""
        self._children.remember(child)

    def release(self) -> None:
        """The children have ended: stop the guard process."""
        self._children.forget()
        if self._process is not None:
            self._process.communicate()


def end_with_make() -> None:
    """If `make` started this process, watch it in a thread, and send this process SIGTERM once it is gone."""
    if "MAKELEVEL" not in os.environ:
        return
    make = os.getppid()

    def wait() -> None:
        while os.getppid() == make:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="make", daemon=True).start()


def main(path: str) -> None:
    """Wait for the supervisor's end, then end the children in the file; after a clean stop there are none."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        sys.stdin.buffer.read()
    Leftovers(Path(path)).end()


if __name__ == "__main__":
    main(sys.argv[1])
