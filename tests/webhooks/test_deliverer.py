"""Claiming, posting and recording: attempts end, and receivers that hang delay no other."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence

import pytest
from prometheus_client import REGISTRY

from admin.bootstrap import bootstrap
from base.database import Database
from tests.stack.sealing import BOX
from tests.webhooks.conftest import LOOPBACK, Tell, at_work, eventually, rows
from tests.webhooks.consumers import ACCEPTED, Consumers, address, consumers, many_loopback_addresses
from tests.webhooks.names import hang_for_minutes, name_server
from webhooks.concurrency import IN_FLIGHT
from webhooks.sender import Sender

ATTEMPTS = "SELECT number, status, error, answer FROM delivery_attempts ORDER BY number"
DELIVERIES = "SELECT state, attempts, last_status, last_error, next_attempt_at FROM deliveries"
FAR_AHEAD = "Retry-After: Mon, 01 Jan 99999999999 00:00:00 GMT"


async def in_state(database: Database, state: str, count: int) -> bool:
    query = "SELECT count(*) FROM deliveries WHERE state = :state"
    return bool(await rows(database, query, state=state) == [(count,)])


async def recorded(database: Database, count: int) -> bool:
    return bool(await rows(database, "SELECT count(*) FROM delivery_attempts") == [(count,)])


async def another_tenant(database: Database, name: str) -> uuid.UUID:
    async with database.session() as session:
        return uuid.UUID((await bootstrap(session, name, BOX))["tenant_id"])


@pytest.mark.parametrize("header", [FAR_AHEAD, "Retry-After: " + "9" * 400, "Retry-After: \xe9"])
async def test_a_senseless_retry_after_is_ignored(
    database: Database, sender: Sender, tell: Tell, header: str
) -> None:
    async with consumers(lambda _: f"503 Later\r\n{header}") as there, at_work(database, sender):
        await tell(there.url())
        await eventually(lambda: recorded(database, 1))
        assert await rows(database, ATTEMPTS) == [(1, 503, None, "")]


async def test_retry_after_puts_the_next_attempt_off(database: Database, sender: Sender, tell: Tell) -> None:
    async with consumers(lambda _: "429 Slow down\r\nretry-after: 3600") as there, at_work(database, sender):
        await tell(there.url())
        await eventually(lambda: recorded(database, 1))
    ahead = "SELECT extract(epoch FROM next_attempt_at - clock_timestamp()) FROM deliveries"
    ((seconds,),) = await rows(database, ahead)
    assert 3500 < seconds <= 3600


async def test_410_ends_a_delivery(database: Database, sender: Sender, tell: Tell) -> None:
    async with consumers(lambda _: "410 Gone") as there, at_work(database, sender):
        await tell(there.url())
        await eventually(lambda: in_state(database, "failed", 1))
    assert await rows(database, DELIVERIES) == [("failed", 1, 410, None, None)]


async def test_a_post_that_crashes_is_an_attempt_that_failed(
    database: Database, sender: Sender, tell: Tell
) -> None:
    async with consumers() as there:
        await tell(there.url())
        await rows(database, "UPDATE tenants SET webhook_secret = ''")
        async with at_work(database, sender, (0.0, 0.0)):
            await eventually(lambda: in_state(database, "failed", 1))
    assert await rows(database, ATTEMPTS) == [(n, None, "internal_error", "") for n in (1, 2, 3)]
    assert there.came == []


async def test_an_answer_that_can_not_be_stored_is_an_attempt_and_delays_no_other(
    database: Database, sender: Sender, tell: Tell
) -> None:
    await rows(database, "ALTER TABLE delivery_attempts ADD CHECK (status <> 418)")
    async with consumers(lambda host: ACCEPTED if host.endswith("0.1") else "418 Teapot") as there:
        urls = [there.url(host) for host in ("127.0.0.1", "127.0.0.2", "127.0.0.1")]
        await tell(*urls)
        async with at_work(database, sender):
            await eventually(lambda: in_state(database, "delivered", 2))
            await eventually(lambda: recorded(database, 3))
    refused = await rows(database, "SELECT status, error FROM delivery_attempts WHERE error IS NOT NULL")
    assert refused == [(None, "internal_error")]


async def test_deliveries_and_their_delay_are_counted(database: Database, sender: Sender, tell: Tell) -> None:
    def outcomes() -> list[float]:
        name = "til_webhook_deliveries_total"
        kinds = ("delivered", "refused", "error")
        return [REGISTRY.get_sample_value(name, {"outcome": kind}) or 0 for kind in kinds]

    def delays() -> float:
        return REGISTRY.get_sample_value("til_webhook_delay_seconds_count") or 0

    before, delayed = outcomes(), delays()
    async with consumers(lambda host: ACCEPTED if host == "127.0.0.1" else "500 Oops") as there:
        await tell(there.url("127.0.0.1"), there.url("127.0.0.2"), "http://127.0.0.1:9/")
        async with at_work(database, sender, (0.0,)):
            await eventually(lambda: in_state(database, "failed", 2))
    assert [now - then for now, then in zip(outcomes(), before, strict=True)] == [1, 2, 2]
    assert delays() - delayed == 3


async def test_a_delivery_to_a_disabled_url_fails_unsent(
    database: Database, sender: Sender, tell: Tell, tenant_id: uuid.UUID
) -> None:
    async with consumers() as there:
        await tell(there.url(), there.url() + "/other")
        off = "INSERT INTO webhook_endpoints (tenant_id, url, disabled_at) VALUES (:id, :url, now())"
        await rows(database, off, id=tenant_id, url=there.url())
        async with at_work(database, sender):
            await eventually(lambda: in_state(database, "pending", 0))
    ended = "SELECT state, last_error, attempts FROM deliveries ORDER BY url"
    assert await rows(database, ended) == [("failed", "endpoint_disabled", 0), ("delivered", None, 1)]
    assert len(there.came) == 1


@pytest.fixture
async def patient() -> AsyncIterator[Sender]:
    """Would wait for a minute: longer than the test."""
    made = Sender("til-queue/test", 60, LOOPBACK)
    yield made
    await made.close()


@many_loopback_addresses
async def test_hosts_that_hang_when_a_steward_starts_do_not_use_up_all_posts(
    database: Database, patient: Sender, tell: Tell
) -> None:
    hanging = [address(number) for number in range(225)]
    async with consumers(lambda host: None if host in hanging else ACCEPTED) as there:
        await tell(*(there.url(host) for host in hanging for _ in range(2)))
        await tell(*(there.url(address(number)) for number in range(225, 325) for _ in range(2)))
        async with at_work(database, patient):
            await eventually(lambda: in_state(database, "delivered", 200))
            assert set(there.hanging.values()) == {1}
            there.let_go()


@many_loopback_addresses
async def test_the_hanging_hosts_of_one_tenant_do_not_block_another(
    database: Database, patient: Sender, tell: Tell
) -> None:
    other = await another_tenant(database, "others")
    hanging = [address(number) for number in range(IN_FLIGHT)]
    async with consumers(lambda host: None if host in hanging else ACCEPTED) as there:
        await tell(*map(there.url, hanging))
        async with at_work(database, patient):
            await eventually(lambda: hang(there, IN_FLIGHT // 2))
            await tell(*[there.url("127.0.0.1")] * 50, tenant=other)
            await eventually(lambda: in_state(database, "delivered", 50))
            assert await hang(there, IN_FLIGHT // 2)
            there.let_go()


@many_loopback_addresses
async def test_one_tenants_failures_at_a_host_do_not_slow_another_there(
    database: Database, patient: Sender, tell: Tell
) -> None:
    """Both post to one host; the first tenant's URL there hangs."""
    other = await another_tenant(database, "others")
    async with consumers(lambda _: None) as hangs, consumers() as fine:
        await tell(*[hangs.url()] * 5)
        async with at_work(database, patient):
            await eventually(lambda: hang(hangs, 1))
            await tell(*[fine.url()] * 100, tenant=other)
            await eventually(lambda: in_state(database, "delivered", 100))
            assert await hang(hangs, 1)
            hangs.let_go()


async def hang(there: Consumers, count: int) -> bool:
    return there.hanging.total() == count


async def test_names_that_hang_delay_no_other(
    database: Database, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang_for_minutes(monkeypatch)
    hanging = True

    def zone(name: str) -> Sequence[str] | None:
        return None if hanging and name.startswith("hangs") else ["127.0.0.1"]

    names = [f"{kind}-{n}.example.com" for kind in ("hangs", "fine") for n in range(100)]
    async with consumers() as there, name_server(zone) as (nameserver, _):
        sender = Sender("til-queue/test", 120, LOOPBACK, [nameserver])
        await tell(*map(there.url, names))
        async with at_work(database, sender):
            await eventually(lambda: in_state(database, "delivered", 100), 60)
            failed = "SELECT count(*) FROM delivery_attempts WHERE error IS NOT NULL"
            assert await rows(database, failed) == [(0,)]
            hanging = False  # The look-ups are repeated, so that the posts end now.
        await sender.close()
