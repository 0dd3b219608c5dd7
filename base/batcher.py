"""Group commit: what arrives while a batch is under way goes together in the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from base.errors import TooManyWaiting

Item = TypeVar("Item")
Result = TypeVar("Result")


class Queue(Protocol[Item]):
    """What waits for the next batch, and in which order."""

    def __bool__(self) -> bool:
        """Whether anything waits."""

    def enter(self, one: Item) -> bool:
        """Wait, unless there is no room; whether it waits."""

    def next_group(self) -> list[Item]:
        """The next batch. Its places are taken until `left`."""

    def left(self, group: list[Item]) -> None:
        """These have been stored, or never will be."""


class AtOnce(Generic[Item]):
    """All that has gathered is the next batch."""

    def __init__(self) -> None:
        self._waiting: list[Item] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def enter(self, one: Item) -> bool:
        """There is always room: whoever adds, waits."""
        self._waiting.append(one)
        return True

    def next_group(self) -> list[Item]:
        """Everything."""
        group, self._waiting = self._waiting, []
        return group

    def left(self, group: list[Item]) -> None:
        """Nothing is counted."""


class Batcher(Generic[Item, Result]):
    """Stores one batch after another; no delay is added when none is under way. Used on one event loop.

    `store` returns what became of each item, in order; an Exception among them is raised to who added that
    item, and one that `store` raises to all of the batch.
    """

    def __init__(
        self,
        store: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]],
        queue: Queue[Item] | None = None,
    ) -> None:
        self._store = store
        self._queue: Queue[Item] = AtOnce() if queue is None else queue
        self._outcomes: dict[int, asyncio.Future[Result]] = {}
        self._storing: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Result:
        """Return once it is stored. Raises TooManyWaiting, and what `store` says of it."""
        if not self._queue.enter(item):
            raise TooManyWaiting
        outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._outcomes[id(item)] = outcome
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_all())
        return await outcome

    async def _store_all(self) -> None:
        while self._queue:
            batch = self._queue.next_group()
            for item, result in zip(batch, await self._stored(batch), strict=True):
                outcome = self._outcomes.pop(id(item))
                if outcome.done():  # Whoever added it has gone.
                    continue
                if isinstance(result, Exception):
                    outcome.set_exception(result)
                else:
                    outcome.set_result(result)

    async def _stored(self, batch: list[Item]) -> Sequence[Result | Exception]:
        try:
            return await self._store(batch)
        except Exception as error:  # noqa: BLE001 - it is handed to every caller of the batch, who raises it
            return [error] * len(batch)
        finally:
            self._queue.left(batch)
