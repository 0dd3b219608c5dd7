"""When a failing URL is disabled, and how long its failures are remembered."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from structlog.testing import capture_logs

from base.database import Database
from base.errors import DatabaseUnavailable
from tests.webhooks.conftest import Tell, at_work, eventually, rows
from tests.webhooks.consumers import consumers
from webhooks import endpoints
from webhooks.endpoints import DISABLED_AFTER_FAILURES, Endpoint
from webhooks.sender import Sender

URL = "https://hooks.example.com/?token=secret"
AGE = """
UPDATE webhook_endpoints SET failing_since = failing_since - make_interval(hours => :hours),
    last_failed_at = last_failed_at - make_interval(hours => :hours),
    disabled_at = disabled_at - make_interval(hours => :hours)
"""


@pytest.fixture
def endpoint(tenant_id: uuid.UUID) -> Endpoint:
    """One URL of the tenant."""
    return tenant_id, URL


async def fail(database: Database, endpoint: Endpoint) -> bool:
    """Whether this failure disables it."""
    async with database.session() as session:
        return endpoint in await endpoints.count_failures(session, [endpoint])


async def failures(database: Database, endpoint: Endpoint, count: int, hours_between: int) -> list[bool]:
    found = []
    for _ in range(count):
        await rows(database, AGE, hours=hours_between)
        found.append(await fail(database, endpoint))
    return found


async def test_a_url_is_disabled_once_by_failures_that_go_on_for_five_days(
    database: Database, endpoint: Endpoint
) -> None:
    found = await failures(database, endpoint, 20, 12)
    assert found.index(True) == 10
    assert found.count(True) == 1


async def test_few_failures_in_five_days_disable_nothing(database: Database, endpoint: Endpoint) -> None:
    found = await failures(database, endpoint, 12, 24)
    assert found.index(True) == DISABLED_AFTER_FAILURES - 1


async def test_failures_begin_anew_after_days_without_one(database: Database, endpoint: Endpoint) -> None:
    assert not any(await failures(database, endpoint, 9, 12))
    await rows(database, AGE, hours=49)
    assert not await fail(database, endpoint)
    held = "SELECT failures, last_failed_at - failing_since < interval '1 s' FROM webhook_endpoints"
    assert await rows(database, held) == [(1, True)]
    assert not any(await failures(database, endpoint, 9, 12))


async def test_a_success_forgets_the_failures_but_not_a_disabling(
    database: Database, endpoint: Endpoint
) -> None:
    for disabled in (False, True):
        await failures(database, endpoint, 20 if disabled else 5, 12)
        async with database.session() as session:
            await endpoints.forget_failures(session, [endpoint])
        held = await rows(database, "SELECT disabled_at IS NOT NULL FROM webhook_endpoints")
        assert held == ([(True,)] if disabled else [])


async def test_two_stewards_may_count_failures_of_a_url_at_the_same_time(
    database: Database, endpoint: Endpoint
) -> None:
    await asyncio.gather(*(fail(database, endpoint) for _ in range(8)))
    assert await rows(database, "SELECT failures FROM webhook_endpoints") == [(8,)]


async def test_a_url_that_has_not_failed_for_long_is_forgotten(
    database: Database, tenant_id: uuid.UUID
) -> None:
    async def forget_after(hours: int) -> int:
        await rows(database, AGE, hours=hours)
        async with database.session() as session:
            await endpoints.forget_old(session)
        ((count,),) = await rows(database, "SELECT count(*) FROM webhook_endpoints")
        return int(count)

    await failures(database, (tenant_id, URL), 11, 12)
    for number in range(3):
        await fail(database, (tenant_id, f"{URL}{number}"))
    assert await forget_after(47) == 4
    assert await forget_after(2) == 1
    assert await forget_after(89 * 24 - 49) == 1
    assert await forget_after(24) == 0


async def test_a_disabling_is_logged_without_the_url(
    database: Database,
    sender: Sender,
    tell: Tell,
    tenant_id: uuid.UUID,
) -> None:
    async with consumers(lambda _: "500 Oops") as there:
        url = there.url() + "?token=secret"
        await failures(database, (tenant_id, url), 10, 12)
        await rows(database, AGE, hours=12)
        await tell(url)
        with capture_logs() as logged:
            async with at_work(database, sender):
                await eventually(
                    lambda: rows(database, "SELECT 1 FROM webhook_endpoints WHERE disabled_at < now()")
                )
    (told,) = [line for line in logged if line["event"] == "endpoint_disabled"]
    assert told["host"] == "127.0.0.1"
    assert "secret" not in repr(logged)


async def test_errors_of_the_database_do_not_tell_the_values(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable) as raised:
        await rows(database, "SELECT * FROM no_such_table WHERE name = :name", name="whsec_very_secret")
    told = f"{raised.value} {raised.value.__cause__}"
    assert "no_such_table" in told
    assert "whsec" not in told
