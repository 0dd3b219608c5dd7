"""What is measured of a side that serves: submits, jobs with an engine of a given time, and an idle job."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import asyncpg

from tests.bench.cpu import cpu_seconds
from tests.bench.path.bodies import padded
from tests.bench.path.client import Connection, connect, get, post, submit_all
from tests.bench.path.sides import SLOTS, Running

CONNECTIONS = 32
BODIES = 200
PATIENCE_SECONDS = 120
HUNDRED_MS = 0.1


class Requests:
    """Submits without end: each with a number of its own, and one of so many bodies."""

    def __init__(self, seed: int) -> None:
        self._bodies = [padded(seed, number) for number in range(BODIES)]
        self._numbers = itertools.count()

    def next(self, side: Running, prefer: str | None = None) -> bytes:
        """One."""
        number = next(self._numbers)
        return post(side.key, number, self._bodies[number % BODIES], prefer)

    def some(self, side: Running, count: int) -> Iterator[bytes]:
        """So many."""
        return (self.next(side) for _ in range(count))


@dataclass(frozen=True)
class Jobs:
    """A load of jobs from the first submit to the last end. `cpu`: milliseconds a job, by process."""

    jobs: int
    seconds: float
    cpu: dict[str, float]

    @property
    def per_second(self) -> float:
        """Jobs a second."""
        return self.jobs / self.seconds

    def of_ideal(self, call_seconds: float) -> float:
        """The share of the speed at which `SLOTS` engines would do nothing but calls."""
        return self.jobs * call_seconds / SLOTS / self.seconds


@dataclass(frozen=True)
class Round:
    """Everything that was measured of one side, once."""

    submits_per_second: float | None = None
    no_time: Jobs | None = None
    hundred_ms: Jobs | None = None
    idle_ms: float | None = None


async def submits(side: Running, requests: Requests, count: int) -> float:
    """Accepted submits a second over 32 connections."""
    await submit_all(side.port, requests.some(side, CONNECTIONS * 4), CONNECTIONS)
    sent, took = await submit_all(side.port, requests.some(side, count), CONNECTIONS)
    return sent / took


async def jobs(
    side: Running, requests: Requests, count: int, database: asyncpg.Connection, servers: Mapping[str, int]
) -> Jobs:
    """Submit the jobs over 32 connections while they are run, and wait for the last one's end."""
    await database.execute(side.empty)
    processes = {**servers, **side.pids}
    before, began = cpu_seconds(processes), time.perf_counter()
    await submit_all(side.port, requests.some(side, count), CONNECTIONS)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await database.fetchval(side.unfinished.format(jobs=count)):
            await asyncio.sleep(0.02)
    took, after = time.perf_counter() - began, cpu_seconds(processes)
    spent = {name: 1000 * (after[name] - before.get(name, 0.0)) / count for name in after}
    return Jobs(count, took, spent)


async def idle(side: Running, requests: Requests, count: int) -> float:
    """The median milliseconds from a submit to its result, one job at a time, looking every millisecond."""
    connection = await connect(side.port)
    try:
        return statistics.median([await _one(side, connection, requests) for _ in range(count)])
    finally:
        connection.close()


async def _one(side: Running, connection: Connection, requests: Requests) -> float:
    request = requests.next(side)
    began = time.perf_counter()
    job = (await connection.ask(request)).json()
    while job["status"] != "succeeded":
        assert job["status"] in {"queued", "running"}, job
        await asyncio.sleep(0.001)
        job = (await connection.ask(get(side.key, job["id"]))).json()
    return 1000 * (time.perf_counter() - began)
