"""Group commit: no waiting without need, one batch for what gathers, an outcome for every item."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from base.batcher import Batcher, UnboundedQueue
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


async def test_the_first_is_stored_at_once_and_those_added_meanwhile_in_one_batch() -> None:
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


async def test_an_error_of_one_item_is_its_own_and_an_error_of_the_store_is_every_items() -> None:
    store = Store()
    store.go.set()
    batcher: Batcher[int, str] = Batcher(store)
    outcomes = await asyncio.gather(*map(batcher.add, (2, 3, 4)), return_exceptions=True)
    assert [type(one) for one in outcomes] == [str, ValueError, str]
    broken = await asyncio.gather(*map(batcher.add, (13, 14)), return_exceptions=True)
    assert [type(one) for one in broken] == [RuntimeError, RuntimeError]
    assert await batcher.add(16) == "16"


async def test_an_item_is_stored_although_its_caller_was_cancelled() -> None:
    store = Store()
    batcher: Batcher[int, str] = Batcher(store)
    gone, stays = (asyncio.create_task(batcher.add(number)) for number in (18, 20))
    while not store.batches:
        await asyncio.sleep(0)
    gone.cancel()
    store.go.set()
    assert await stays == "20"
    assert store.batches == [[18, 20]]


class Full(UnboundedQueue[int]):
    """Always full."""

    def add(self, one: int) -> bool:
        return False


async def test_adding_to_a_full_queue_raises_at_once() -> None:
    with pytest.raises(TooManyWaiting):
        await Batcher(Store(), Full()).add(1)
