"""Faults that a worker and a steward report after some time."""

from __future__ import annotations

import asyncio

from base.loops import STALLED_SECONDS, Loops
from steward.__main__ import stalled
from worker.health import START_SECONDS, WorkerHealth


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_that_does_not_finish_its_start_is_not_alive() -> None:
    clock = Clock()
    health = WorkerHealth(clock)
    clock.now = START_SECONDS
    assert (health.alive(), health.ready()) == ([], ["starting"])
    clock.now = START_SECONDS + 1
    assert health.alive() == ["starting"]


async def test_a_stalled_event_loop_is_reported_by_name() -> None:
    clock, begun = Clock(), asyncio.Event()
    loops = Loops(lambda _: None, clock)

    async def step() -> None:
        begun.set()
        await asyncio.sleep(3600)

    clock.now = 1000.0
    assert stalled(sweeping=loops) == []
    loops.start("wait", step)
    await begun.wait()
    clock.now += STALLED_SECONDS
    assert stalled(sweeping=loops) == []
    clock.now += 1
    assert stalled(sweeping=loops) == ["sweeping"]
    await loops.close()
