"""A statement locks the rows that it changes, and blocks no insert of rows that refer to them."""

from __future__ import annotations

import asyncio
import re

import pytest

from base.database import Database
from tests.scale.calls import CALLS, Call
from tests.scale.data import fill
from tests.scale.explain import changes_what_it_chose, sent_by
from tests.scale.world import make

HINDERS_REFERENCES = re.compile(r"FROM tenants\b.*\bFOR UPDATE", re.DOTALL)


@pytest.fixture
def filled_url(database_url: str) -> str:
    """A database with a few rows of each kind."""
    asyncio.run(fill(database_url, 9, 9))
    return database_url


async def test_every_statement_locks_what_it_changes_and_no_more(filled_url: str, database: Database) -> None:
    wrong = {name: found for name in CALLS if (found := await faulty(database, CALLS[name]))}
    assert not wrong


async def faulty(database: Database, call: Call) -> list[str]:
    """Which of its statements lock a tenant's row from those who refer to it, or choose while they change."""
    found = []
    async with database.session() as session:
        world = await make(session)
        sent = await sent_by(database.engine, session, lambda: call(session, world))
        connection = await session.connection()
        for one in sent:
            hinders = HINDERS_REFERENCES.search(one.statement)
            if hinders or not await changes_what_it_chose(connection, one):
                found.append(one.statement)
        await session.rollback()
    return found
