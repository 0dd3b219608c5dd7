"""`python -m tests.stack.loses_a_loop`: the process MODULE, whose background loop LOOP ends by itself."""

from __future__ import annotations

import asyncio
import os
import runpy

from base.loops import STALLED_SECONDS, Loops, Step

start = Loops.start


async def leave() -> None:
    """As if somebody had cancelled the loop's task."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


def losing(self: Loops, name: str, step: Step, stalled_seconds: int | None = STALLED_SECONDS) -> None:
    """`Loops.start`, but for one of them."""
    start(self, name, leave if name == os.environ["LOOP"] else step, stalled_seconds)


Loops.start = losing  # type: ignore[method-assign]
runpy.run_module(os.environ["MODULE"], run_name="__main__", alter_sys=True)
