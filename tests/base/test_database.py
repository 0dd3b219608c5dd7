"""Which errors of PostgreSQL are DatabaseUnavailable, and which are about the statement's values."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from base.database import API, Database
from base.errors import DatabaseUnavailable
from tests.conftest import execute

AWAY: tuple[str, ...] = (
    "25006",
    "55000",
    "55P03",
    "42703",
    "42P01",
    "42501",
    "28000",
    "28P01",
    "53100",
    "53300",
    "57014",
)
AWAY += ("57P01", "57P03", "58030", "58P01", "XX000", "XX001", "0A000", "08006", "3D000", "40001", "40P01")
OWN = ("22001", "22P02", "22P05", "23502", "23505", "23514", "21000", "P0001", "TQ001", "TQ002")


async def raise_sqlstate(database: Database, code: str) -> None:
    async with database.session() as session:
        await session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$"))


@pytest.mark.parametrize("code", AWAY)
async def test_errors_that_a_retry_may_avoid_are_database_unavailable(database: Database, code: str) -> None:
    with pytest.raises(DatabaseUnavailable):
        await raise_sqlstate(database, code)
    async with database.session() as session:
        assert (await session.execute(text("SELECT 1"))).scalar_one() == 1


@pytest.mark.parametrize("code", OWN)
async def test_errors_about_values_are_raised_as_they_are(database: Database, code: str) -> None:
    with pytest.raises(DBAPIError):
        await raise_sqlstate(database, code)


async def test_a_value_that_the_driver_refuses_is_raised_as_it_is(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.session() as session:
            await session.execute(text("SELECT CAST(:n AS integer)"), {"n": 2**40})


@pytest.fixture
async def closed(database_url: str) -> AsyncIterator[Database]:
    """A database that accepts no connections, as during a restore."""
    name = database_url.partition("?")[0].rpartition("/")[2]
    admin = database_url.replace(name, "postgres", 1)
    await execute(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    pool = Database(database_url, API)
    yield pool
    await pool.close()
    await execute(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def test_a_database_that_accepts_no_connections_is_unavailable(closed: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with closed.session() as session:
            await session.execute(text("SELECT 1"))
