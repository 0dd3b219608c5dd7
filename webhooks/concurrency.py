"""Limits on webhook requests in flight: to a host, for a tenant, in all. Pure."""

from __future__ import annotations

import uuid
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

IN_FLIGHT = 900
MIN_LIMIT, MAX_LIMIT = 1, 64
REMEMBERED_DESTINATIONS = 10_000
T = TypeVar("T")


class Destination(NamedTuple):
    """The unit of concurrency: one tenant's deliveries to one host, whatever the port."""

    tenant_id: uuid.UUID
    host: str


class ConcurrencyLimiter:
    """Counts the requests in flight and says who may send the next.

    A destination's limit begins at one, rises by one with each response that shows no overload, and falls
    back to one after one that does. A host gets `MAX_LIMIT` at the most. A tenant gets no more than are left
    free, so that there is always something left for others: dynamic thresholds, as for the shared buffers of
    switches (A. K. Choudhury, E. L. Hahne, 1998).
    """

    def __init__(self) -> None:
        self._limits: OrderedDict[Destination, int] = OrderedDict()
        self._destinations: Counter[Destination] = Counter()
        self._hosts: Counter[str] = Counter()
        self._tenants: Counter[uuid.UUID] = Counter()

    @property
    def free(self) -> int:
        """How many more requests the process may have in flight."""
        return IN_FLIGHT - self._tenants.total()

    def acquire(self, destination: Destination, count: int = 1) -> None:
        """So many requests are in flight from now on."""
        self._destinations[destination] += count
        self._hosts[destination.host] += count
        self._tenants[destination.tenant_id] += count

    def complete(self, destination: Destination, overloaded: bool) -> None:
        """A request has ended; `overloaded`: see `Attempt.overloaded`."""
        self.release(destination)
        limit = self._limits.pop(destination, MIN_LIMIT)
        self._limits[destination] = MIN_LIMIT if overloaded else min(MAX_LIMIT, limit + 1)
        if len(self._limits) > REMEMBERED_DESTINATIONS:
            self._limits.popitem(last=False)

    def release(self, destination: Destination, count: int = 1) -> None:
        """So many acquired requests were not sent after all."""
        _subtract(self._destinations, destination, count)
        _subtract(self._hosts, destination.host, count)
        _subtract(self._tenants, destination.tenant_id, count)

    def available(self, destination: Destination) -> int:
        """How many more requests this destination may have now."""
        own = self._limits.get(destination, MIN_LIMIT) - self._destinations[destination]
        if own <= 0:
            return 0
        tenant = (self.free - self._tenants[destination.tenant_id]) // 2
        return max(0, min(own, MAX_LIMIT - self._hosts[destination.host], tenant))

    def full_tenants(self) -> list[uuid.UUID]:
        """Tenants that may have no more requests, to any host."""
        return [tenant for tenant, count in self._tenants.items() if self.free - count < 2]

    def grant(
        self, destinations: Sequence[Destination], most: int
    ) -> tuple[dict[Destination, int], Destination | None]:
        """Divide `most` requests among these destinations in order, without acquiring them.

        Returns how many each gets, and the last destination that was looked at.
        """
        granted: dict[Destination, int] = {}
        last = None
        for destination in destinations:
            if not most:
                break
            last = destination
            if count := min(most, self.available(destination)):
                granted[destination] = count
                most -= count
                self.acquire(destination, count)
        for destination, count in granted.items():
            self.release(destination, count)
        return granted, last


def _subtract(counter: Counter[T], key: T, count: int) -> None:
    counter[key] -= count
    if not counter[key]:
        del counter[key]
