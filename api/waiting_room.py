"""The submissions that wait to be stored: how many there may be, and which are stored together next. Pure."""

from __future__ import annotations

import uuid
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass

from jobs.submission import Submission

GROUP_SIZE = 100
GROUP_BYTES = 8 * 2**20
"""Stored in well under a second, far from what a transaction of the api's role may take."""
TENANT_SHARE = 0.75
"""Of all places: so there is one for others, whatever one tenant sends."""


@dataclass(frozen=True)
class Waiting:
    """A submission that waits."""

    submission: Submission
    size_bytes: int

    @property
    def tenant_id(self) -> uuid.UUID:
        """Whose it is."""
        return self.submission.tenant_id


class WaitingRoom:
    """Bounded in number and in bytes. Groups are bounded too, and tenants take turns in them."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._queues: OrderedDict[uuid.UUID, deque[Waiting]] = OrderedDict()
        self._counts: Counter[uuid.UUID] = Counter()
        self._bytes: Counter[uuid.UUID] = Counter()

    def __bool__(self) -> bool:
        return bool(self._queues)

    def add(self, one: Waiting) -> bool:
        """Wait, unless the room, or the tenant's share of it, is full; whether it waits."""
        count, size = self._counts.total() + 1, self._bytes.total() + one.size_bytes
        own, own_bytes = self._counts[one.tenant_id] + 1, self._bytes[one.tenant_id] + one.size_bytes
        if count > self._most or (size > self._most_bytes and count > 1):
            return False
        if own > self._most * TENANT_SHARE or (own_bytes > self._most_bytes * TENANT_SHARE and own > 1):
            return False
        self._queues.setdefault(one.tenant_id, deque()).append(one)
        self._counts[one.tenant_id], self._bytes[one.tenant_id] = own, own_bytes
        return True

    def next_batch(self) -> list[Waiting]:
        """Those to store together, one of each tenant in turn. Their places are taken until `left`."""
        group: list[Waiting] = []
        size = 0
        while self._queues and len(group) < GROUP_SIZE:
            tenant_id, queue = next(iter(self._queues.items()))
            size += queue[0].size_bytes
            if group and size > GROUP_BYTES:
                break
            group.append(queue.popleft())
            self._queues.move_to_end(tenant_id)
            if not queue:
                del self._queues[tenant_id]
        return group

    def done(self, batch: list[Waiting]) -> None:
        """These have been stored, or never will be."""
        for one in batch:
            self._counts[one.tenant_id] -= 1
            self._bytes[one.tenant_id] -= one.size_bytes
            if not self._counts[one.tenant_id]:
                del self._counts[one.tenant_id], self._bytes[one.tenant_id]
