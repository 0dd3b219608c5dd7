"""The claim of due deliveries: lanes (tenant and host) take turns, and waiting ones cost nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter

import pytest
from sqlalchemy import text

from admin.bootstrap import bootstrap
from base.database import Database
from tests.conftest import execute
from tests.stack.sealing import BOX
from tests.webhooks.conftest import Tell, rows
from webhooks import claim as webhook_claim
from webhooks import deliveries
from webhooks.claim import ClaimedDelivery
from webhooks.concurrency import Destination
from webhooks.record import RecordedAttempt, record
from webhooks.retry_schedule import Ended, NextAttempt
from webhooks.sender import Attempt
from webhooks.urls import host_of

FAR = "UPDATE deliveries SET phase = 'later', next_attempt_at = clock_timestamp() + interval '1 hour'"


async def lanes(
    database: Database, after: Destination | None = None, most: int = 100, full: tuple[uuid.UUID, ...] = ()
) -> list[Destination]:
    async with database.session() as session:
        return await webhook_claim.destinations(session, after, most, full)


async def claim(
    database: Database, granted: dict[Destination, int], lease_seconds: float = 60
) -> list[ClaimedDelivery]:
    async with database.session() as session:
        return (await webhook_claim.claim(session, granted, lease_seconds, 0))[0]


async def claim_all(database: Database, lease_seconds: float = 60) -> list[ClaimedDelivery]:
    return await claim(database, dict.fromkeys(await lanes(database), 1000), lease_seconds)


async def mark_due(database: Database) -> int:
    async with database.session() as session:
        return await webhook_claim.mark_due(session)


async def copy(database: Database, count: int, url: str) -> None:
    """So many deliveries more like the one there is; `url` is an SQL expression over `n`."""
    await rows(
        database,
        "INSERT INTO deliveries (id, job_id, tenant_id, event, url) SELECT gen_random_uuid(), job_id, "
        f"tenant_id, event, {url} FROM (SELECT * FROM deliveries LIMIT 1) AS d, generate_series(1, :count) n",
        count=count,
    )


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.com:8443/a", "example.com"),
        ("https://example.com./", "example.com"),
        ("https://example.com?a", "example.com"),
        ("https://[2606:4700::1111]:8443/", "2606:4700::1111"),
        ("https://8.8.8.8/", "8.8.8.8"),
    ],
)
async def test_the_database_sees_the_same_host_in_a_url(
    database: Database, tell: Tell, url: str, host: str
) -> None:
    await tell(url)
    assert await rows(database, "SELECT host FROM deliveries") == [(host,)]
    assert host_of(url) == host


async def test_ports_of_a_host_share_a_lane_and_tenants_do_not(database: Database, tell: Tell) -> None:
    async with database.session() as session:
        other = uuid.UUID((await bootstrap(session, "others", BOX))["tenant_id"])
    await tell("https://a.example.com:8443/", "https://a.example.com/", "https://b.example.com/")
    await tell("https://a.example.com/", tenant=other)
    found = await lanes(database)
    assert Counter(lane.host for lane in found) == {"a.example.com": 2, "b.example.com": 1}
    assert len({lane.tenant_id for lane in found}) == 2


async def test_lanes_take_turns_and_tenants_at_their_limit_are_skipped(
    database: Database, tell: Tell, tenant_id: uuid.UUID
) -> None:
    hosts = [f"{letter}.example.com" for letter in "abc"]
    async with database.session() as session:
        other = uuid.UUID((await bootstrap(session, "others", BOX))["tenant_id"])
    for tenant in (tenant_id, other):
        await tell(*(f"https://{host}/" for host in hosts), tenant=tenant)
    first, second = sorted([tenant_id, other])
    circle = [Destination(tenant, host) for tenant in (first, second) for host in hosts]
    assert await lanes(database) == circle
    assert await lanes(database, most=2) == circle[:2]
    assert await lanes(database, after=circle[1], most=3) == circle[2:5]
    assert await lanes(database, full=(first,)) == [circle[0], *circle[3:]]
    assert await lanes(database, full=(first, second)) == [circle[0], circle[3]]


async def test_a_claim_takes_the_oldest_of_a_lane_as_many_as_it_has_room_for(
    database: Database, tell: Tell
) -> None:
    ids = await tell(*["https://a.example.com/"] * 3)
    for number, delivery_id in enumerate(ids):
        aged = "UPDATE deliveries SET next_attempt_at = next_attempt_at - :n * interval '1 s' WHERE id = :id"
        await rows(database, aged, n=number, id=delivery_id)
    (lane,) = await lanes(database)
    assert {due.delivery.id for due in await claim(database, {lane: 2})} == {ids[1], ids[2]}
    assert [due.delivery.id for due in await claim(database, {lane: 2})] == [ids[0]]
    assert await claim(database, {lane: 2}) == []
    assert await lanes(database) == []


async def test_claims_at_the_same_time_never_take_the_same_delivery(database: Database, tell: Tell) -> None:
    await tell(*["https://a.example.com/", "https://b.example.com/"] * 20)
    both = await asyncio.gather(claim_all(database), claim_all(database))
    taken = [due.delivery.id for found in both for due in found]
    assert len(taken) == len(set(taken)) == 40


async def test_a_delivery_is_due_again_after_the_lease_of_its_steward(database: Database, tell: Tell) -> None:
    await tell("https://a.example.com/")
    (first,) = await claim_all(database, lease_seconds=-1)
    assert await mark_due(database) == 1
    (second,) = await claim_all(database)
    assert await mark_due(database) == 0
    late = RecordedAttempt(first, Attempt(5, status=204), Ended("delivered"))
    async with database.session() as session:
        assert await record(session, [late]) == set()
        assert await record(session, [RecordedAttempt(second, Attempt(5, status=500), NextAttempt(0))])
    assert await mark_due(database) == 1


async def test_a_resend_does_not_send_a_delivery_that_is_being_sent(
    database: Database, tell: Tell, tenant_id: uuid.UUID
) -> None:
    (delivery_id,) = await tell("https://a.example.com/")
    (due,) = await claim_all(database)
    async with database.session() as session:
        await deliveries.resend(session, tenant_id, delivery_id)
    assert await lanes(database) == []
    async with database.session() as session:
        await record(session, [RecordedAttempt(due, Attempt(5, status=500), NextAttempt(3600))])
        assert await webhook_claim.destinations(session, None, 10, ()) == []
        await deliveries.resend(session, tenant_id, delivery_id)
        assert await webhook_claim.destinations(session, None, 10, ()) == [due.destination]


async def test_an_attempt_is_recorded_once_however_often_its_commit_is_tried(
    database: Database, tell: Tell
) -> None:
    await tell("https://a.example.com/")
    (due,) = await claim_all(database)
    recorded = RecordedAttempt(due, Attempt(5, status=500), NextAttempt(60))
    for expected in ({due.delivery.id}, set()):
        async with database.session() as session:
            assert await record(session, [recorded]) == expected
    assert await rows(database, "SELECT number FROM delivery_attempts") == [(1,)]


async def test_deliveries_that_are_not_due_cost_the_claim_nothing(
    database: Database, database_url: str, tell: Tell
) -> None:
    await tell("https://due.example.com/")
    before = await cost(database)
    await copy(database, 20_000, "'https://waits-' || n || '.example.com/'")
    await rows(database, FAR + " WHERE url LIKE 'https://waits-%'")
    await execute(database_url, "VACUUM ANALYZE deliveries")
    after = await cost(database)
    print(f"{before} blocks, with 20,000 waiting hosts {after}")
    assert [lane.host for lane in await lanes(database)] == ["due.example.com"]
    assert after <= before + 10


async def test_the_deliveries_of_one_lane_cost_the_others_nothing(
    database: Database, database_url: str, tell: Tell
) -> None:
    await tell("https://b.example.com/", "https://c.example.com/")
    before = await cost(database)
    await copy(database, 20_000, "'https://a.example.com/' || n")
    await execute(database_url, "VACUUM ANALYZE deliveries")
    after = await cost(database)
    print(f"{before} blocks, with 20,000 due in one lane {after}")
    assert len(await lanes(database)) == 3
    assert after <= before + 20


async def cost(database: Database) -> int:
    """Blocks of the database that a walk along the lanes reads."""
    values = {"tenant_id": uuid.UUID(int=0), "host": "", "most": 100, "full": [], "after_all": "\x7f"}
    async with database.session() as session:
        explain = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {webhook_claim.DESTINATIONS.text}")
        plan = (await session.execute(explain, values)).scalar_one()[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
