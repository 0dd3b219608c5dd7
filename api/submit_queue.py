"""The queue of submissions that wait to be stored: its limits, and which are stored together next. Pure."""

from __future__ import annotations

import uuid
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass

from jobs.submission import Submission

BATCH_SIZE = 100
BATCH_BYTES = 8 * 2**20
"""Such a batch is stored in well under a second, far below the limit of the api's transactions."""
TENANT_SHARE = 0.75
"""The most of the queue's limits that one tenant may use, so that others find space."""


@dataclass(frozen=True)
class QueuedSubmission:
    """A submission in the queue."""

    submission: Submission
    size_bytes: int

    @property
    def tenant_id(self) -> uuid.UUID:
        """The tenant that submits it."""
        return self.submission.tenant_id


class SubmitQueue:
    """A `base.batcher.Queue`, bounded in number and in bytes. Batches are bounded too; tenants take turns."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._queues: OrderedDict[uuid.UUID, deque[QueuedSubmission]] = OrderedDict()
        self._counts: Counter[uuid.UUID] = Counter()
        self._bytes: Counter[uuid.UUID] = Counter()

    def __bool__(self) -> bool:
        return bool(self._queues)

    def add(self, one: QueuedSubmission) -> bool:
        """Queue it, unless the queue or the tenant's share of it is full. Whether it was queued."""
        count, size = self._counts.total() + 1, self._bytes.total() + one.size_bytes
        own, own_bytes = self._counts[one.tenant_id] + 1, self._bytes[one.tenant_id] + one.size_bytes
        if count > self._most or (size > self._most_bytes and count > 1):
            return False
        if own > self._most * TENANT_SHARE or (own_bytes > self._most_bytes * TENANT_SHARE and own > 1):
            return False
        self._queues.setdefault(one.tenant_id, deque()).append(one)
        self._counts[one.tenant_id], self._bytes[one.tenant_id] = own, own_bytes
        return True

    def next_batch(self) -> list[QueuedSubmission]:
        """Take those to store together, one of each tenant in turn. They count until `done`."""
        batch: list[QueuedSubmission] = []
        size = 0
        while self._queues and len(batch) < BATCH_SIZE:
            tenant_id, queue = next(iter(self._queues.items()))
            size += queue[0].size_bytes
            if batch and size > BATCH_BYTES:
                break
            batch.append(queue.popleft())
            self._queues.move_to_end(tenant_id)
            if not queue:
                del self._queues[tenant_id]
        return batch

    def done(self, batch: list[QueuedSubmission]) -> None:
        """These have been stored, or have failed."""
        for one in batch:
            self._counts[one.tenant_id] -= 1
            self._bytes[one.tenant_id] -= one.size_bytes
            if not self._counts[one.tenant_id]:
                del self._counts[one.tenant_id], self._bytes[one.tenant_id]
