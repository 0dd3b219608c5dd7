"""How many posts may be on their way: to a host, for a tenant, in all. Pure."""

from __future__ import annotations

import uuid
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

IN_FLIGHT = 900
NARROW, WIDE = 1, 64
REMEMBERED_LANES = 10_000
T = TypeVar("T")


class Lane(NamedTuple):
    """The deliveries of one tenant to one host, whatever the port: its failures narrow no other's."""

    tenant_id: uuid.UUID
    host: str


class ConcurrencyLimiter:
    """The places of the posts on their way, and who may have the next.

    A lane has one place at first, one more for each post that came back well, and one again after it was
    strained. A host has no more than `WIDE`. A tenant has no more than are free, so a newcomer always finds
    some: an adaptive threshold, as for shared buffers of switches (A. K. Choudhury, E. L. Hahne, 1998).
    """

    def __init__(self) -> None:
        self._width: OrderedDict[Lane, int] = OrderedDict()
        self._lanes: Counter[Lane] = Counter()
        self._hosts: Counter[str] = Counter()
        self._tenants: Counter[uuid.UUID] = Counter()

    @property
    def free(self) -> int:
        """How many places nobody has."""
        return IN_FLIGHT - self._tenants.total()

    def began(self, lane: Lane, posts: int = 1) -> None:
        """So many posts are on their way."""
        self._lanes[lane] += posts
        self._hosts[lane.host] += posts
        self._tenants[lane.tenant_id] += posts

    def ended(self, lane: Lane, strained: bool) -> None:
        """One has come back; `strained`: slow, or as from a receiver in trouble."""
        self.gave_back(lane)
        width = self._width.pop(lane, NARROW)
        self._width[lane] = NARROW if strained else min(WIDE, width + 1)
        if len(self._width) > REMEMBERED_LANES:
            self._width.popitem(last=False)

    def gave_back(self, lane: Lane, posts: int = 1) -> None:
        """So many were not sent after all."""
        _take(self._lanes, lane, posts)
        _take(self._hosts, lane.host, posts)
        _take(self._tenants, lane.tenant_id, posts)

    def room(self, lane: Lane) -> int:
        """How many more posts this lane may have."""
        own = self._width.get(lane, NARROW) - self._lanes[lane]
        if own <= 0:
            return 0
        share = (self.free - self._tenants[lane.tenant_id]) // 2
        return max(0, min(own, WIDE - self._hosts[lane.host], share))

    def full_tenants(self) -> list[uuid.UUID]:
        """Those that may have no more, in any lane."""
        return [tenant for tenant, posts in self._tenants.items() if self.free - posts < 2]

    def share(self, lanes: Sequence[Lane], most: int) -> tuple[dict[Lane, int], Lane | None]:
        """How many posts each of these lanes gets now, in turn, and the last that had its turn."""
        granted: dict[Lane, int] = {}
        last = None
        for lane in lanes:
            if not most:
                break
            last = lane
            if room := min(most, self.room(lane)):
                granted[lane] = room
                most -= room
                self.began(lane, room)
        for lane, posts in granted.items():
            self.gave_back(lane, posts)
        return granted, last


def _take(counter: Counter[T], key: T, posts: int) -> None:
    counter[key] -= posts
    if not counter[key]:
        del counter[key]
