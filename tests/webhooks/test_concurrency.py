"""Limits of concurrent posts for each lane (tenant and host), host and tenant."""

from __future__ import annotations

import uuid

import pytest

from webhooks.concurrency import IN_FLIGHT, REMEMBERED_LANES, WIDE, ConcurrencyLimiter, Lane
from webhooks.sender import Attempt

ADA, BOB = uuid.UUID(int=1), uuid.UUID(int=2)


def widened(places: ConcurrencyLimiter, lane: Lane, posts: int = 2 * WIDE) -> None:
    for _ in range(posts):
        places.began(lane)
        places.ended(lane, strained=False)


def test_a_lane_starts_with_one_post_gets_more_after_successes_and_one_again_after_trouble() -> None:
    places, lane = ConcurrencyLimiter(), Lane(ADA, "a")
    assert places.room(lane) == 1
    widened(places, lane, 1)
    assert places.room(lane) == 2
    widened(places, lane)
    assert places.room(lane) == WIDE
    places.began(lane, 3)
    places.ended(lane, strained=True)
    assert places.room(lane) == 0
    for _ in range(2):
        places.ended(lane, strained=True)
    assert places.room(lane) == 1


def test_the_failures_of_one_tenant_at_a_host_do_not_limit_another() -> None:
    places = ConcurrencyLimiter()
    for tenant in (ADA, BOB):
        widened(places, Lane(tenant, "shared"))
    places.began(Lane(ADA, "shared"))
    places.ended(Lane(ADA, "shared"), strained=True)
    assert places.room(Lane(ADA, "shared")) == 1
    assert places.room(Lane(BOB, "shared")) == WIDE


def test_a_host_gets_at_most_its_limit_of_posts_from_all_tenants() -> None:
    places = ConcurrencyLimiter()
    for tenant in (ADA, BOB):
        widened(places, Lane(tenant, "shared"))
    places.began(Lane(ADA, "shared"), WIDE - 2)
    assert places.room(Lane(BOB, "shared")) == 2


def hanging(tenant: int) -> list[Lane]:
    return [Lane(uuid.UUID(int=10 + tenant), f"{tenant}-{number}") for number in range(IN_FLIGHT)]


def fill(places: ConcurrencyLimiter, tenant: int) -> list[Lane]:
    granted, _ = places.share(hanging(tenant), IN_FLIGHT)
    for lane, posts in granted.items():
        places.began(lane, posts)
    return list(granted)


@pytest.mark.parametrize("tenants", [1, 2, 3, 8])
def test_however_many_tenants_are_at_their_limit_a_new_one_may_send(tenants: int) -> None:
    places = ConcurrencyLimiter()
    for tenant in range(tenants):
        fill(places, tenant)
    assert places.room(Lane(ADA, "new")) == 1


def test_shares_even_out_as_posts_end() -> None:
    places = ConcurrencyLimiter()
    held = {tenant: fill(places, tenant) for tenant in range(4)}
    for _ in range(40):
        for tenant, lanes in held.items():
            for lane in lanes[:50]:
                places.ended(lane, strained=True)
            lanes[:50] = fill(places, tenant)
    counts = [len(lanes) for lanes in held.values()]
    assert max(counts) - min(counts) <= 4
    assert places.free >= IN_FLIGHT // 5 - 4


def test_a_tenant_alone_may_use_half_of_all_posts_and_is_skipped_then() -> None:
    places = ConcurrencyLimiter()
    lanes = [Lane(ADA, f"hangs-{number}") for number in range(IN_FLIGHT)]
    granted, last = places.share(lanes, IN_FLIGHT)
    assert (len(granted), last) == (IN_FLIGHT // 2, lanes[-1])
    for lane in granted:
        places.began(lane)
    assert places.full_tenants() == [ADA]
    places.ended(lanes[0], strained=True)
    assert places.full_tenants() == []


def test_a_share_says_where_the_next_one_goes_on() -> None:
    places = ConcurrencyLimiter()
    lanes = [Lane(ADA, "a"), Lane(ADA, "b"), Lane(BOB, "a")]
    assert places.share(lanes, 2) == ({lanes[0]: 1, lanes[1]: 1}, lanes[1])
    assert places.free == IN_FLIGHT
    places.began(lanes[0])
    assert places.share(lanes, 5) == ({lanes[1]: 1, lanes[2]: 1}, lanes[2])


def test_the_memory_of_lanes_is_bounded() -> None:
    places = ConcurrencyLimiter()
    for number in range(REMEMBERED_LANES + 1):
        widened(places, Lane(ADA, str(number)), 1)
    assert places.room(Lane(ADA, "0")) == 1
    assert places.room(Lane(ADA, "1")) == 2


@pytest.mark.parametrize(
    ("attempt", "strained"),
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
def test_only_slow_missing_and_overload_answers_lower_a_lanes_limit(attempt: Attempt, strained: bool) -> None:
    assert attempt.strained == strained
