"""Starts the product's processes as an operator does, for tests of the whole stack."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx

from admin.bootstrap import bootstrap
from base.database import ADMIN, Database
from deploy.local.valkey import free_port
from tests.stack.sealing import BOX, SECRET_KEYS

LOOPBACK = "127.0.0.0/8"
T = TypeVar("T")


def until(fact: Callable[[], T], seconds: float = 20, pause_seconds: float = 0.05) -> T:
    """Wait until `fact()` is true and return it; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = fact()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {fact}"
        time.sleep(pause_seconds)


def serves(url: str) -> bool:
    """Whether an api answers at this address."""
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


class Process:
    """`python -m module`, one of the product's processes, with its log and the address of its metrics."""

    def __init__(
        self, name: str, module: str, environment: dict[str, str], folder: Path, arguments: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.metrics_port = free_port()
        values = os.environ | environment | {"TIL_METRICS_PORT": str(self.metrics_port)}
        with self.log.open("ab") as out:
            command = [sys.executable, "-m", module, *arguments]
            self.popen = subprocess.Popen(command, env=values, stdout=out, stderr=out, start_new_session=True)

    def metrics(self) -> str:
        """What Prometheus would read."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics").text
        except httpx.TransportError:
            return ""

    def ask_to_stop(self) -> None:
        """SIGTERM, also to a frozen process."""
        if self.popen.poll() is None:
            self.popen.terminate()
            self.popen.send_signal(signal.SIGCONT)

    def wait(self, seconds: float) -> None:
        """Wait for its end, at most so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(seconds)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 40) -> int:
        """Send the signal and wait for the end; the exit code. Its own children do not outlive it."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
            self.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        return self.popen.wait(10)


class Stack:
    """Starts processes on one database and one Valkey, and stops them all."""

    def __init__(self, database_url: str, redis_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self._folder = folder
        self._processes: list[Process] = []
        self.keys = asyncio.run(self._bootstrap("tests"))
        self.api_url = ""

    async def _bootstrap(self, tenant: str) -> dict[str, str]:
        pool = Database(self.database_url, ADMIN)
        async with pool.session() as session:
            made = await bootstrap(session, tenant, BOX)
        await pool.close()
        return made

    def another_tenant(self) -> dict[str, str]:
        """The keys of a second tenant."""
        return asyncio.run(self._bootstrap("others"))

    def environment(self, **more: str) -> dict[str, str]:
        """What every process of this stack is started with."""
        return {
            "DATABASE_URL": self.database_url,
            "TIL_SECRET_KEYS": SECRET_KEYS,
            "REDIS_URL": self.redis_url,
            "TIL_ENGINE": "outline",
            "TIL_WEBHOOK_ALLOW_HTTP": "1",
            "TIL_WEBHOOK_ALLOWED_NETWORKS": LOOPBACK,
        } | more

    def start(self, module: str, **more: str) -> Process:
        """Start `python -m module`."""
        name = f"{module}-{len(self._processes)}"
        process = Process(name, module, self.environment(**more), self._folder)
        self._processes.append(process)
        return process

    def api(self, module: str = "api", **more: str) -> Process:
        """Start an api and wait until it serves."""
        port = free_port()
        process = self.start(module, TIL_API_PORT=str(port), **more)
        self.api_url = f"http://127.0.0.1:{port}"
        until(lambda: process.popen.poll() is not None or serves(self.api_url), 30)
        assert process.popen.poll() is None, process.log.read_text()
        return process

    def worker(self, **more: str) -> Process:
        """Start a worker and wait until its engine is ready."""
        return self.start_ready("worker", **more)

    def start_ready(self, module: str, **more: str) -> Process:
        """Start a worker that lives in `module` and wait until its engine is ready."""
        process = self.start(module, **more)
        ready = "til_engine_ready 1.0"
        until(lambda: process.popen.poll() is not None or ready in process.metrics(), 180)
        assert process.popen.poll() is None, process.log.read_text()
        return process

    def steward(self, **more: str) -> Process:
        """Start a steward and wait for its first figures."""
        process = self.start("steward", **more)
        until(lambda: process.popen.poll() is not None or "til_jobs{" in process.metrics(), 30)
        assert process.popen.poll() is None, process.log.read_text()
        return process

    def client(self, key: str | None = None) -> httpx.Client:
        """An HTTP client with a key of the tenant."""
        headers = {"Authorization": f"Bearer {key or self.keys['key']}"}
        return httpx.Client(base_url=self.api_url, headers=headers, timeout=70)

    def stop(self) -> None:
        """Stop whatever still runs; a worker that is asked twice releases its jobs at once."""
        for seconds in (0.5, 5.0):
            for process in self._processes:
                process.ask_to_stop()
            deadline = time.monotonic() + seconds
            for process in self._processes:
                process.wait(max(0.0, deadline - time.monotonic()))
        for process in self._processes:
            process.stop(signal.SIGKILL)


def day(**more: Any) -> dict[str, Any]:
    """A small valid request."""
    patch = {"commit_message": "fix: the crank turns", "patch": "@@ -1 +1 @@\n-a\n+b\n", "sha": "4f2a91c0"}
    files = [{"filepath": "src/mill.py", "latest_code": "b\n", "patches": [patch]}]
    return {
        "username": "ada",
        "date": "2025-04-24",
        "repo": "ada/engine",
        "language": "en",
        "files": files,
    } | more
