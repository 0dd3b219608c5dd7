"""Limits of concurrent posts for each destination (tenant and host), host and tenant."""

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


def widened(limiter: ConcurrencyLimiter, destination: Destination, posts: int = 2 * MAX_LIMIT) -> None:
    for _ in range(posts):
        limiter.acquire(destination)
        limiter.complete(destination, overloaded=False)


def test_a_destination_starts_with_one_post_gets_more_after_successes_and_one_again_after_trouble() -> None:
    limiter, destination = ConcurrencyLimiter(), Destination(ADA, "a")
    assert limiter.available(destination) == 1
    widened(limiter, destination, 1)
    assert limiter.available(destination) == 2
    widened(limiter, destination)
    assert limiter.available(destination) == MAX_LIMIT
    limiter.acquire(destination, 3)
    limiter.complete(destination, overloaded=True)
    assert limiter.available(destination) == 0
    for _ in range(2):
        limiter.complete(destination, overloaded=True)
    assert limiter.available(destination) == 1


def test_the_failures_of_one_tenant_at_a_host_do_not_limit_another() -> None:
    limiter = ConcurrencyLimiter()
    for tenant in (ADA, BOB):
        widened(limiter, Destination(tenant, "shared"))
    limiter.acquire(Destination(ADA, "shared"))
    limiter.complete(Destination(ADA, "shared"), overloaded=True)
    assert limiter.available(Destination(ADA, "shared")) == 1
    assert limiter.available(Destination(BOB, "shared")) == MAX_LIMIT


def test_a_host_gets_at_most_its_limit_of_posts_from_all_tenants() -> None:
    limiter = ConcurrencyLimiter()
    for tenant in (ADA, BOB):
        widened(limiter, Destination(tenant, "shared"))
    limiter.acquire(Destination(ADA, "shared"), MAX_LIMIT - 2)
    assert limiter.available(Destination(BOB, "shared")) == 2


def hanging(tenant: int) -> list[Destination]:
    return [Destination(uuid.UUID(int=10 + tenant), f"{tenant}-{number}") for number in range(IN_FLIGHT)]


def fill(limiter: ConcurrencyLimiter, tenant: int) -> list[Destination]:
    granted, _ = limiter.grant(hanging(tenant), IN_FLIGHT)
    for destination, posts in granted.items():
        limiter.acquire(destination, posts)
    return list(granted)


@pytest.mark.parametrize("tenants", [1, 2, 3, 8])
def test_however_many_tenants_are_at_their_limit_a_new_one_may_send(tenants: int) -> None:
    limiter = ConcurrencyLimiter()
    for tenant in range(tenants):
        fill(limiter, tenant)
    assert limiter.available(Destination(ADA, "new")) == 1


def test_shares_even_out_as_posts_end() -> None:
    limiter = ConcurrencyLimiter()
    held = {tenant: fill(limiter, tenant) for tenant in range(4)}
    for _ in range(40):
        for tenant, destinations in held.items():
            for destination in destinations[:50]:
                limiter.complete(destination, overloaded=True)
            destinations[:50] = fill(limiter, tenant)
    counts = [len(destinations) for destinations in held.values()]
    assert max(counts) - min(counts) <= 4
    assert limiter.free >= IN_FLIGHT // 5 - 4


def test_a_tenant_alone_may_use_half_of_all_posts_and_is_skipped_then() -> None:
    limiter = ConcurrencyLimiter()
    destinations = [Destination(ADA, f"hangs-{number}") for number in range(IN_FLIGHT)]
    granted, last = limiter.grant(destinations, IN_FLIGHT)
    assert (len(granted), last) == (IN_FLIGHT // 2, destinations[-1])
    for destination in granted:
        limiter.acquire(destination)
    assert limiter.full_tenants() == [ADA]
    limiter.complete(destinations[0], overloaded=True)
    assert limiter.full_tenants() == []


def test_a_share_says_where_the_next_one_goes_on() -> None:
    limiter = ConcurrencyLimiter()
    destinations = [Destination(ADA, "a"), Destination(ADA, "b"), Destination(BOB, "a")]
    assert limiter.grant(destinations, 2) == ({destinations[0]: 1, destinations[1]: 1}, destinations[1])
    assert limiter.free == IN_FLIGHT
    limiter.acquire(destinations[0])
    assert limiter.grant(destinations, 5) == ({destinations[1]: 1, destinations[2]: 1}, destinations[2])


def test_the_memory_of_destinations_is_bounded() -> None:
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
def test_only_slow_missing_and_overload_answers_lower_the_limit(attempt: Attempt, overloaded: bool) -> None:
    assert attempt.overloaded == overloaded
