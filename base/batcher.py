"""Group commit: what arrives while a batch is under way goes together in the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from base.errors import TooManyWaiting

Item = TypeVar("Item")
Result = TypeVar("Result")


class Queue(Protocol[Item]):
    """The items that wait for the next batch, and their order."""

    def __bool__(self) -> bool:
        """Whether any item waits."""

    def add(self, one: Item) -> bool:
        """Queue the item, unless the queue is full. Returns whether it was queued."""

    def next_batch(self) -> list[Item]:
        """Take the items of the next batch. They count against the queue's limits until `done`."""

    def done(self, batch: list[Item]) -> None:
        """Called after each batch, stored or failed: its items no longer count."""


class UnboundedQueue(Generic[Item]):
    """Never full; every item that waits goes into the next batch."""

    def __init__(self) -> None:
        self._waiting: list[Item] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, one: Item) -> bool:
        """Always queued."""
        self._waiting.append(one)
        return True

    def next_batch(self) -> list[Item]:
        """All items."""
        batch, self._waiting = self._waiting, []
        return batch

    def done(self, batch: list[Item]) -> None:
        """Nothing is counted here."""


class Batcher(Generic[Item, Result]):
    """Stores one batch after another; an item that comes while none is being stored is stored at once.

    Used on one event loop. `store` returns one result for each item, in order. A result that is an Exception
    is raised from `add` of that item; an error that `store` raises, from `add` of every item of the batch.
    """

    def __init__(
        self,
        store: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]],
        queue: Queue[Item] | None = None,
    ) -> None:
        self._store = store
        self._queue: Queue[Item] = UnboundedQueue() if queue is None else queue
        self._outcomes: dict[int, asyncio.Future[Result]] = {}
        self._storing: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Result:
        """Return once it is stored. Raises TooManyWaiting, and the errors of `store`."""
        if not self._queue.add(item):
            raise TooManyWaiting
        outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._outcomes[id(item)] = outcome
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_all())
        return await outcome

    async def _store_all(self) -> None:
        while self._queue:
            batch = self._queue.next_batch()
            for item, result in zip(batch, await self._store_batch(batch), strict=True):
                outcome = self._outcomes.pop(id(item))
                if outcome.done():  # The call of `add` was cancelled.
                    continue
                if isinstance(result, Exception):
                    outcome.set_exception(result)
                else:
                    outcome.set_result(result)

    async def _store_batch(self, batch: list[Item]) -> Sequence[Result | Exception]:
        try:
            return await self._store(batch)
        except Exception as error:  # noqa: BLE001 - it is raised to every caller of the batch
            return [error] * len(batch)
        finally:
            self._queue.done(batch)
