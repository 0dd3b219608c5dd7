"""How many posts a lane, a host and a tenant may have at once."""

from __future__ import annotations

import uuid

import pytest

from webhooks.concurrency import (
    IN_FLIGHT,
    MAX_LIMIT,
    REMEMBERED_DESTINATIONS,
    ConcurrencyLimiter,
    Destination,
)
from webhooks.sender import Attempt

ADA, BOB = uuid.UUID(int=1), uuid.UUID(int=2)


def widened(limiter: ConcurrencyLimiter, lane: Destination, posts: int = 2 * MAX_LIMIT) -> None:
    for _ in range(posts):
        limiter.acquire(lane)
        limiter.complete(lane, overloaded=False)


def test_a_lane_begins_with_one_post_gets_more_while_all_is_well_and_one_again_when_it_is_strained() -> None:
    limiter, lane = ConcurrencyLimiter(), Destination(ADA, "a")
    assert limiter.available(lane) == 1
    widened(limiter, lane, 1)
    assert limiter.available(lane) == 2
    widened(limiter, lane)
    assert limiter.available(lane) == MAX_LIMIT
    limiter.acquire(lane, 3)
    limiter.complete(lane, overloaded=True)
    assert limiter.available(lane) == 0
    for _ in range(2):
        limiter.complete(lane, overloaded=True)
    assert limiter.available(lane) == 1


def test_one_tenants_trouble_with_a_host_is_not_anothers() -> None:
    limiter = ConcurrencyLimiter()
    for tenant in (ADA, BOB):
        widened(limiter, Destination(tenant, "shared"))
    limiter.acquire(Destination(ADA, "shared"))
    limiter.complete(Destination(ADA, "shared"), overloaded=True)
    assert limiter.available(Destination(ADA, "shared")) == 1
    assert limiter.available(Destination(BOB, "shared")) == MAX_LIMIT


def test_a_host_has_no_more_than_its_places_whoever_posts() -> None:
    limiter = ConcurrencyLimiter()
    for tenant in (ADA, BOB):
        widened(limiter, Destination(tenant, "shared"))
    limiter.acquire(Destination(ADA, "shared"), MAX_LIMIT - 2)
    assert limiter.available(Destination(BOB, "shared")) == 2


def hanging(tenant: int) -> list[Destination]:
    return [Destination(uuid.UUID(int=10 + tenant), f"{tenant}-{number}") for number in range(IN_FLIGHT)]


def fill(limiter: ConcurrencyLimiter, tenant: int) -> list[Destination]:
    granted, _ = limiter.grant(hanging(tenant), IN_FLIGHT)
    for lane, posts in granted.items():
        limiter.acquire(lane, posts)
    return list(granted)


@pytest.mark.parametrize("tenants", [1, 2, 3, 8])
def test_however_many_tenants_take_what_they_can_a_newcomer_finds_a_place(tenants: int) -> None:
    limiter = ConcurrencyLimiter()
    for tenant in range(tenants):
        fill(limiter, tenant)
    assert limiter.available(Destination(ADA, "new")) == 1


def test_places_even_out_as_posts_come_back() -> None:
    limiter = ConcurrencyLimiter()
    held = {tenant: fill(limiter, tenant) for tenant in range(4)}
    for _ in range(40):
        for tenant, lanes in held.items():
            for lane in lanes[:50]:
                limiter.complete(lane, overloaded=True)
            lanes[:50] = fill(limiter, tenant)
    counts = [len(lanes) for lanes in held.values()]
    assert max(counts) - min(counts) <= 4
    assert limiter.free >= IN_FLIGHT // 5 - 4


def test_a_tenant_alone_fills_half_of_the_places_and_is_passed_over_then() -> None:
    limiter = ConcurrencyLimiter()
    lanes = [Destination(ADA, f"hangs-{number}") for number in range(IN_FLIGHT)]
    granted, last = limiter.grant(lanes, IN_FLIGHT)
    assert (len(granted), last) == (IN_FLIGHT // 2, lanes[-1])
    for lane in granted:
        limiter.acquire(lane)
    assert limiter.full_tenants() == [ADA]
    limiter.complete(lanes[0], overloaded=True)
    assert limiter.full_tenants() == []


def test_a_share_says_where_the_next_one_goes_on() -> None:
    limiter = ConcurrencyLimiter()
    lanes = [Destination(ADA, "a"), Destination(ADA, "b"), Destination(BOB, "a")]
    assert limiter.grant(lanes, 2) == ({lanes[0]: 1, lanes[1]: 1}, lanes[1])
    assert limiter.free == IN_FLIGHT
    limiter.acquire(lanes[0])
    assert limiter.grant(lanes, 5) == ({lanes[1]: 1, lanes[2]: 1}, lanes[2])


def test_what_is_remembered_of_lanes_is_bounded() -> None:
    limiter = ConcurrencyLimiter()
    for number in range(REMEMBERED_DESTINATIONS + 1):
        widened(limiter, Destination(ADA, str(number)), 1)
    assert limiter.available(Destination(ADA, "0")) == 1
    assert limiter.available(Destination(ADA, "1")) == 2


@pytest.mark.parametrize(
    ("attempt", "overloaded"),
    [
        (Attempt(5, status=204), False),
        (Attempt(5, status=302), False),
        (Attempt(5, status=404), False),
        (Attempt(5, status=410), False),
        (Attempt(5, status=429), True),
        (Attempt(5, status=500), True),
        (Attempt(1000, status=204), True),
        (Attempt(1000, status=404), True),
        (Attempt(5, error="connect_failed"), True),
        (Attempt(15_000, error="timeout"), True),
    ],
)
def test_only_slowness_silence_and_overload_narrow_a_lane(attempt: Attempt, overloaded: bool) -> None:
    assert attempt.overloaded == overloaded
