"""Which answers of PostgreSQL are its being away, and which are the statement's own fault."""

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
async def test_what_another_try_may_find_healed_is_the_database_being_away(
    database: Database, code: str
) -> None:
    with pytest.raises(DatabaseUnavailable):
        await raise_sqlstate(database, code)
    async with database.session() as session:
        assert (await session.execute(text("SELECT 1"))).scalar_one() == 1


@pytest.mark.parametrize("code", OWN)
async def test_values_that_are_refused_are_the_statements_own_fault(database: Database, code: str) -> None:
    with pytest.raises(DBAPIError):
        await raise_sqlstate(database, code)


async def test_a_value_that_the_driver_refuses_is_the_statements_own_fault(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.session() as session:
            await session.execute(text("SELECT CAST(:n AS integer)"), {"n": 2**40})


@pytest.fixture
async def closed(database_url: str) -> AsyncIterator[Database]:
    """A database that lets nobody in, as during a restore."""
    name = database_url.partition("?")[0].rpartition("/")[2]
    admin = database_url.replace(name, "postgres", 1)
    await execute(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    pool = Database(database_url, API)
    yield pool
    await pool.close()
    await execute(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def test_a_database_that_lets_nobody_in_is_away(closed: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with closed.session() as session:
            await session.execute(text("SELECT 1"))
