"""Group commit: nothing waits for company, what gathers goes together, nobody is left without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from base.batcher import AtOnce, Batcher
from base.errors import TooManyWaiting


class Store:
    """Remembers its batches; each goes on once `go` is set. Odd numbers fail alone, 13 with its batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()

    async def __call__(self, batch: list[int]) -> Sequence[str | Exception]:
        self.batches.append(batch)
        await self.go.wait()
        if 13 in batch:
            raise RuntimeError("13")
        return [ValueError(str(one)) if one % 2 else str(one) for one in batch]


async def test_the_first_goes_at_once_and_what_comes_meanwhile_goes_together() -> None:
    store = Store()
    batcher: Batcher[int, str] = Batcher(store)
    first = asyncio.create_task(batcher.add(1000))
    while not store.batches:
        await asyncio.sleep(0)
    others = [asyncio.create_task(batcher.add(number)) for number in (1002, 1004, 1006)]
    await asyncio.sleep(0)
    store.go.set()
    assert await asyncio.gather(first, *others) == ["1000", "1002", "1004", "1006"]
    assert store.batches == [[1000], [1002, 1004, 1006]]


async def test_each_gets_its_own_error_and_a_batch_that_breaks_answers_all_of_it() -> None:
    store = Store()
    store.go.set()
    batcher: Batcher[int, str] = Batcher(store)
    outcomes = await asyncio.gather(*map(batcher.add, (2, 3, 4)), return_exceptions=True)
    assert [type(one) for one in outcomes] == [str, ValueError, str]
    broken = await asyncio.gather(*map(batcher.add, (13, 14)), return_exceptions=True)
    assert [type(one) for one in broken] == [RuntimeError, RuntimeError]
    assert await batcher.add(16) == "16"


async def test_who_has_gone_is_stored_all_the_same() -> None:
    store = Store()
    batcher: Batcher[int, str] = Batcher(store)
    gone, stays = (asyncio.create_task(batcher.add(number)) for number in (18, 20))
    while not store.batches:
        await asyncio.sleep(0)
    gone.cancel()
    store.go.set()
    assert await stays == "20"
    assert store.batches == [[18, 20]]


class Full(AtOnce[int]):
    """Has room for nobody."""

    def enter(self, one: int) -> bool:
        return False


async def test_a_full_queue_is_said_at_once() -> None:
    with pytest.raises(TooManyWaiting):
        await Batcher(Store(), Full()).add(1)
