"""The sides of the bench: each starts its processes on one PostgreSQL and one Valkey, and stops them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.valkey import free_port
from tests.stack.processes import Process, Stack, until_it_serves
from tests.stack.urls import without_driver

SLOTS = 32
APPS = "tests.bench.path.apps"


@dataclass
class Running:
    """A side that serves. `unfinished`: SQL that is true while jobs are left; `empty`: SQL that deletes all.

    Both are "" where there are no jobs.
    """

    port: int
    key: str | None
    processes: dict[str, Process]
    unfinished: str = ""
    empty: str = ""

    def pids(self) -> dict[str, int]:
        """The ids of its processes, by name."""
        return {name: process.popen.pid for name, process in self.processes.items()}


@dataclass(frozen=True)
class Ground:
    """What every side stands on."""

    stack: Stack
    folder: Path

    def environment(self, seconds: float) -> dict[str, str]:
        """Of the other sides' processes; `seconds`: of one call of the engine."""
        return {
            "DATABASE_URL": without_driver(self.stack.database_url),
            "REDIS_URL": self.stack.redis_url,
            "BENCH_SECONDS": str(seconds),
        }


def ours(ground: Ground, seconds: float | None) -> Running:
    """The product; without a worker if `seconds` is None."""
    stack = ground.stack
    processes = {"api": stack.api(), "steward": stack.steward()}
    if seconds is not None:
        more = {"BENCH_SECONDS": str(seconds), "TIL_SLOTS": str(SLOTS)}
        processes["worker"] = stack.start_ready(f"{APPS}.worker", **more)

    return Running(
        int(stack.api_url.rpartition(":")[2]),
        stack.keys["key"],
        processes,
        "SELECT EXISTS (SELECT FROM jobs WHERE status IN ('queued', 'running'))",
        "TRUNCATE jobs CASCADE",
    )


def bare(ground: Ground, _: float | None) -> Running:
    """An endpoint that validates."""
    return _other(ground, "bare", None)


def plain(ground: Ground, seconds: float | None) -> Running:
    """Celery, as most people would write it."""
    worker = f"celery -A {APPS}.plain:queue worker -P threads -c {SLOTS} --loglevel=WARNING"
    unfinished = "SELECT EXISTS (SELECT FROM plain_jobs WHERE status <> 'succeeded')"
    return _other(ground, "plain", seconds, worker, unfinished, "TRUNCATE plain_jobs")


def with_taskiq(ground: Ground, seconds: float | None) -> Running:
    """taskiq with results in PostgreSQL."""
    options = f"--workers 1 --max-async-tasks {SLOTS} --log-level WARNING"
    worker = f"taskiq worker {APPS}.with_taskiq:broker {options}"
    unfinished = "SELECT count(*) < {jobs} FROM taskiq_jobs"
    return _other(ground, "with_taskiq", seconds, worker, unfinished, "TRUNCATE taskiq_jobs")


def _other(
    ground: Ground, name: str, seconds: float | None, worker: str = "", unfinished: str = "", empty: str = ""
) -> Running:
    """A side whose api is `APPS.name`. `worker`: the module and arguments of its worker, if it has any."""
    port, environment = free_port(), ground.environment(seconds or 0)
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    arguments = [f"{APPS}.{name}:app", "--port", str(port), *options]
    processes = {"api": Process(name, "uvicorn", environment, ground.folder, arguments)}
    until_it_serves(processes["api"], f"http://127.0.0.1:{port}")
    if worker and seconds is not None:
        module, *arguments = worker.split()
        processes["worker"] = Process(f"{name}-worker", module, environment, ground.folder, arguments)
    return Running(port, None, processes, unfinished, empty)


@contextmanager
def stopping(side: Running) -> Iterator[Running]:
    """Stop the side's processes at the end of the block."""
    try:
        yield side
    finally:
        for process in reversed(side.processes.values()):
            process.stop()


SIDES: dict[str, Callable[[Ground, float | None], Running]] = {
    "bare": bare,
    "ours": ours,
    "Celery": plain,
    "taskiq": with_taskiq,
}
