"""The product as in production: two of each process under a supervisor, one PostgreSQL, one Valkey."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from deploy.local.postgres import PostgresServer
from deploy.local.valkey import ValkeyServer, free_port
from tests.stack.processes import Process, Stack, serves, until

LEASE_SECONDS = 3.0
RUN_SECONDS = 0.7
SLOTS = 20
SETTINGS = {
    "TIL_LEASE_SECONDS": str(LEASE_SECONDS),
    "TIL_OUTLINE_SECONDS": str(RUN_SECONDS),
    "TIL_SLOTS": str(SLOTS),
    "TIL_SLOTS_PER_WORKER": str(SLOTS),
    "TIL_WEBHOOK_SCHEDULE_SECONDS": ",".join(["1"] * 60),
    "TIL_WEBHOOK_TIMEOUT_SECONDS": "3",
    "TIL_LOG_LEVEL": "info",
}
MODULES = {"api": "api", "worker": "tests.chaos.worker", "steward": "steward"}


class Cluster:
    """Starts all processes; starts again what ends. `unexpected` lists ends that no fault explains.

    A worker that can't reach PostgreSQL when it starts ends with 1: its supervisor tries again.
    """

    def __init__(self, postgres: PostgresServer, valkey: ValkeyServer, folder: Path) -> None:
        self.folder = folder
        self.postgres = postgres
        self.valkey = valkey
        self.stack = Stack(postgres.url, valkey.url, folder)
        self.unexpected: list[str] = []
        self.processes: dict[str, Process] = {}
        self.frozen: set[str] = set()
        self.postgres_away_until = 0.0
        self._killed: set[int] = set()
        self._ports = {f"api-{n}": free_port() for n in range(2)}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    @property
    def urls(self) -> list[str]:
        """Where the apis are."""
        return [f"http://127.0.0.1:{port}" for port in self._ports.values()]

    def start(self) -> None:
        """Start everything and wait until both apis serve."""
        for kind in MODULES:
            for number in range(2):
                self._spawn(f"{kind}-{number}")
        for url in self.urls:
            until(lambda url=url: serves(url), 60)  # type: ignore[misc]
        self._supervisor.start()

    def _spawn(self, name: str) -> None:
        port = {"TIL_API_PORT": str(self._ports[name])} if name in self._ports else {}
        self.processes[name] = self.stack.start(MODULES[name.split("-", maxsplit=1)[0]], **SETTINGS, **port)

    def _supervise(self) -> None:
        while not self._stopping.wait(0.2):
            with self._lock:
                for name, process in list(self.processes.items()):
                    code = process.popen.poll()
                    if code is not None and not self._stopping.is_set():
                        if not self._explained(process.popen.pid, name, code):
                            self.unexpected.append(f"{name} ended by itself with {code}")
                        self.frozen.discard(name)
                        self._spawn(name)

    def _explained(self, pid: int, name: str, code: int) -> bool:
        away = time.monotonic() < self.postgres_away_until
        return pid in self._killed or (away and name.startswith("worker") and code == 1)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the process that has this name now."""
        with self._lock:
            process = self.processes[name]
            if number in (signal.SIGKILL, signal.SIGUSR2):
                self._killed.add(process.popen.pid)
            if number == signal.SIGSTOP:
                self.frozen.add(name)
            if number == signal.SIGCONT:
                self.frozen.discard(name)
            if process.popen.poll() is None:
                os.kill(process.popen.pid, number)

    def workers(self) -> dict[str, str]:
        """The names of all workers' processes by the ids under which they have registered so far."""
        found: dict[str, str] = {}
        for log in self.folder.glob("tests.chaos.worker-*.log"):
            for line in log.read_text(errors="replace").splitlines():
                if '"worker_registered"' in line:
                    found[line.split('"worker_id": "')[1][:36]] = log.stem
        return found

    def stop(self) -> None:
        """Stop all processes."""
        self._stopping.set()
        with self._lock:
            self.stack.stop()


def retry(action: Callable[[], None], seconds: float = 30) -> None:
    """Do it until it does not fail any more."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
