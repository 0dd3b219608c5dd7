"""Admission to the engine's KV cache: admitted jobs always fit into it, so that vLLM never preempts one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from capacity.kv_budget import KvBudget, KvCache, job_cost
from jobs.fence import Claim


@dataclass(frozen=True)
class _Waiter:
    claim: Claim
    blocks: int
    admitted: asyncio.Future[None]


class KvAdmission:
    """A claimed job counts by its estimate until its prompt is packed, then by the most blocks it can need.

    Jobs are admitted in the order of `admit`; one is admitted whatever its size while no other is.
    `on_budget` is called when blocks are freed, so that more may be claimed. Without a `cache` all are
    admitted.
    """

    def __init__(self, parts_at_once: int) -> None:
        self.cache: KvCache | None = None
        self.on_budget: Callable[[], None] = lambda: None
        self._parts_at_once = parts_at_once
        self._expected: dict[Claim, int] = {}
        self._admitted: dict[Claim, int] = {}
        self._waiters: deque[_Waiter] = deque()

    def __len__(self) -> int:
        """The number of claimed jobs that have not left the engine."""
        return len(self._expected) + len(self._admitted)

    def budget(self) -> KvBudget | None:
        """The blocks that are left for further claims; None: no bound."""
        if self.cache is None:
            return None
        used = sum(self._expected.values()) + sum(self._admitted.values())
        empty = not self._expected and not self._admitted
        return KvBudget(self.cache, max(0, self.cache.blocks - used), empty, self._parts_at_once)

    def expect(self, claim: Claim, tokens: int) -> None:
        """Reserve blocks for a claimed job by its estimated size."""
        self._expected[claim] = job_cost(self.cache, tokens, self._parts_at_once) if self.cache else 0

    async def admit(self, claim: Claim, tokens: int, calls: int) -> None:
        """Wait until the job's `calls` at once, of up to `tokens` each, fit into the cache."""
        if self.cache is None:
            return
        blocks, expected = calls * self.cache.cost(tokens), self._expected.get(claim, 0)
        self._expected[claim] = blocks
        waiter = _Waiter(claim, blocks, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            self._admit_waiters()
            await waiter.admitted
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                self._admit_waiters()
        if blocks < expected:
            self.on_budget()

    def _admit_waiters(self) -> None:
        while self._waiters and self.cache is not None:
            first = self._waiters[0]
            if self._admitted and sum(self._admitted.values()) + first.blocks > self.cache.blocks:
                return
            self._waiters.popleft()
            self._admitted[first.claim] = first.blocks
            self._expected.pop(first.claim, None)
            if not first.admitted.done():
                first.admitted.set_result(None)

    def free(self, claim: Claim) -> None:
        """The job has left the engine: free its blocks. Idempotent."""
        known = self._expected.pop(claim, None), self._admitted.pop(claim, None)
        if known != (None, None):
            self._admit_waiters()
            self.on_budget()
