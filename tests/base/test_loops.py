"""Background loops continue after any error; one that has ended or is stalled is reported, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from base import loops as module
from base.errors import DatabaseUnavailable
from base.loops import Loops


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.01)


def errors(name: str) -> float:
    return REGISTRY.get_sample_value("til_loop_errors_total", {"loop": name}) or 0.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.002)


@pytest.mark.usefixtures("quick")
async def test_a_loop_goes_on_after_any_error_and_each_is_counted() -> None:
    raised = [ValueError("x"), DatabaseUnavailable(), asyncio.CancelledError(), MemoryError(), KeyError(1)]
    left, went_on, dead = list(raised), asyncio.Event(), list[str]()

    async def step() -> None:
        if left:
            raise left.pop()
        went_on.set()
        await asyncio.sleep(0.01)

    before = errors("stumbling")
    loops = Loops(dead.append)
    loops.start("stumbling", step)
    async with asyncio.timeout(20):
        await went_on.wait()
    assert errors("stumbling") == before + len(raised)
    await loops.close()
    assert (dead, loops.dead) == ([], None)


async def test_a_loop_whose_task_was_cancelled_from_elsewhere_is_reported_dead_once() -> None:
    dead: list[str] = []
    loops = Loops(dead.append)
    loops.start("ended", lambda: asyncio.sleep(0.01))
    (task,) = [one for one in asyncio.all_tasks() if "_repeat" in repr(one)]
    task.cancel()
    await until(lambda: loops.dead)
    await loops.close()
    assert (dead, loops.dead) == (["ended"], "ended")


async def test_a_loop_ends_although_its_step_turns_the_cancellation_into_another_error() -> None:
    asked = asyncio.Event()

    async def step() -> None:
        try:
            asked.set()
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise OSError from None

    loops = Loops(lambda name: pytest.fail(f"{name} is dead"))
    loops.start("stubborn", step)
    await asked.wait()
    async with asyncio.timeout(20):
        await loops.close()


async def test_a_step_that_swallows_its_cancellation_is_cancelled_again() -> None:
    cancelled = 0

    async def step() -> None:
        nonlocal cancelled
        while cancelled < 2:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled += 1

    loops = Loops(lambda name: pytest.fail(f"{name} is dead"))
    loops.start("deaf", step)
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await loops.close()
    assert cancelled == 2


async def test_a_stalled_loop_is_dead_and_one_without_a_limit_is_not() -> None:
    dead: list[str] = []
    loops = Loops(dead.append)
    loops.start("unlimited", asyncio.Event().wait, None)
    loops.start("stalled", asyncio.Event().wait, 1)
    await until(lambda: dead)
    await loops.close()
    assert (dead, loops.dead) == (["stalled"], "stalled")
