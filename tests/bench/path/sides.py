"""The sides of the bench: each starts its processes on one PostgreSQL and one Valkey, and stops them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy.engine import make_url

from deploy.local.valkey import free_port
from tests.stack.processes import Stack, until

SLOTS = 32


def driven(url: str, driver: str) -> str:
    """The database's URL for another driver."""
    return make_url(url).set(drivername=driver).render_as_string(hide_password=False)


class Child:
    """A process of another side than ours, with its log."""

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={**os.environ, **environment},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def stop(self) -> None:
        """SIGTERM, then the end of it and of its own children."""
        self.popen.terminate()
        try:
            self.popen.wait(15)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)


@dataclass
class Running:
    """A side that serves. `processes`: ids by name; `unfinished`: SQL that is true while jobs are left."""

    port: int
    key: str | None
    processes: dict[str, int]
    stop: Callable[[], None]
    unfinished: str = ""
    empty: str = ""


@dataclass(frozen=True)
class Ground:
    """What every side stands on."""

    stack: Stack
    folder: Path

    def environment(self, seconds: float) -> dict[str, str]:
        """Of the other sides' processes; `seconds`: of one call of the engine."""
        return {
            "DATABASE_URL": driven(self.stack.database_url, "postgresql"),
            "REDIS_URL": self.stack.redis_url,
            "BENCH_SECONDS": str(seconds),
        }


def ours(ground: Ground, seconds: float | None) -> Running:
    """The product; without a worker if `seconds` is None."""
    stack = ground.stack
    processes = {"api": stack.api(), "steward": stack.steward()}
    if seconds is not None:
        more = {"BENCH_SECONDS": str(seconds), "TIL_SLOTS": str(SLOTS)}
        processes["worker"] = stack.start_ready("tests.bench.path.apps.worker", **more)

    def stop() -> None:
        for process in reversed(processes.values()):
            process.stop()

    return Running(
        int(stack.api_url.rpartition(":")[2]),
        stack.keys["key"],
        {name: process.popen.pid for name, process in processes.items()},
        stop,
        "SELECT EXISTS (SELECT FROM jobs WHERE status IN ('queued', 'running'))",
        "TRUNCATE jobs CASCADE",
    )


def bare(ground: Ground, _: float | None) -> Running:
    """An endpoint that validates."""
    return _other(ground, "bare", 0, [])


def plain(ground: Ground, seconds: float | None) -> Running:
    """Celery, as most people would write it."""
    arguments = ["celery", "-A", "tests.bench.path.apps.plain:queue", "worker", "-P", "threads"]
    worker = [*arguments, "-c", str(SLOTS), "--loglevel=WARNING"]
    unfinished = "SELECT EXISTS (SELECT FROM plain_jobs WHERE status <> 'succeeded')"
    return _other(ground, "plain", seconds, worker, unfinished, "TRUNCATE plain_jobs")


def with_taskiq(ground: Ground, seconds: float | None) -> Running:
    """taskiq with results in PostgreSQL."""
    arguments = ["taskiq", "worker", "tests.bench.path.apps.with_taskiq:broker", "--workers", "1"]
    worker = [*arguments, "--max-async-tasks", str(SLOTS), "--log-level", "WARNING"]
    finished = "SELECT count(*) < {jobs} FROM taskiq_jobs"
    return _other(ground, "with_taskiq", seconds, worker, finished, "TRUNCATE taskiq_jobs")


def _other(
    ground: Ground,
    name: str,
    seconds: float | None,
    worker: list[str],
    unfinished: str = "",
    empty: str = "",
) -> Running:
    port, environment = free_port(), ground.environment(seconds or 0)
    uvicorn = ["uvicorn", f"tests.bench.path.apps.{name}:app", "--port", str(port), "--loop", "uvloop"]
    options = ["--http", "httptools", "--no-access-log", "--log-level", "warning"]
    children = {"api": Child(name, uvicorn + options, environment, ground.folder)}
    until(lambda: _serves(port), 30)
    if worker and seconds is not None:
        children["worker"] = Child(f"{name}-worker", worker, environment, ground.folder)

    def stop() -> None:
        for child in reversed(children.values()):
            child.stop()

    pids = {part: child.popen.pid for part, child in children.items()}
    return Running(port, None, pids, stop, unfinished, empty)


def _serves(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def stopping(side: Running) -> Iterator[Running]:
    """Stop the side's processes at the end of the block."""
    try:
        yield side
    finally:
        side.stop()


SIDES: dict[str, Callable[[Ground, float | None], Running]] = {
    "bare": bare,
    "ours": ours,
    "Celery": plain,
    "taskiq": with_taskiq,
}
