"""The sides of the bench: each starts its processes on one PostgreSQL and one Valkey, and stops them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.valkey import free_port
from tests.stack.database import plain_url
from tests.stack.processes import Process, Stack, serves, until

SLOTS = 32


@dataclass
class Running:
    """A side that serves. `unfinished`: SQL that is true while jobs are left."""

    port: int
    key: str | None
    processes: dict[str, Process]
    unfinished: str = ""
    empty: str = ""

    @property
    def pids(self) -> dict[str, int]:
        """The processes' ids by name."""
        return {name: process.popen.pid for name, process in self.processes.items()}

    def stop(self) -> None:
        """Stop the processes, the api last."""
        for process in reversed(self.processes.values()):
            process.stop()


@dataclass(frozen=True)
class Ground:
    """What every side stands on."""

    stack: Stack
    folder: Path

    def environment(self, seconds: float) -> dict[str, str]:
        """Of the other sides' processes; `seconds`: of one call of the engine."""
        return {
            "DATABASE_URL": plain_url(self.stack.database_url),
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
    return Running(
        int(stack.api_url.rpartition(":")[2]),
        stack.keys["key"],
        processes,
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
    port, environment, folder = free_port(), ground.environment(seconds or 0), ground.folder
    app = [f"tests.bench.path.apps.{name}:app", "--port", str(port), "--loop", "uvloop"]
    options = ["--http", "httptools", "--no-access-log", "--log-level", "warning"]
    processes = {"api": Process(name, "uvicorn", environment, folder, app + options)}
    until(lambda: serves(f"http://127.0.0.1:{port}"), 30)
    if worker and seconds is not None:
        module, *arguments = worker
        processes["worker"] = Process(f"{name}-worker", module, environment, folder, arguments)
    return Running(port, None, processes, unfinished, empty)


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
