"""A database of each older version, with jobs in it, is brought to this one while that version still runs."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from admin.migrate import migrate
from base.database import ADMIN, Database
from deploy.local.postgres import PostgresServer
from jobs.claim import claim, request_json
from jobs.finish import succeed
from jobs.workers import register
from tests.conftest import execute, renamed
from tests.stack.processes import day
from worker.slots.reader import decode

VERSIONS = sorted(Path("migrations/versions").glob("v[0-9]*.py"))
OLDER = [path.name[1:5] for path in VERSIONS[:-1]]
CHECKED_FROM = "0010"
"""Migrations before the first release were not bound by these rules."""
NO_REWRITE = (
    "CREATE FUNCTION refuse_rewrite() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" IF (SELECT lpad((version_num::int + 1)::text, 4, '0') FROM alembic_version) >= '{CHECKED_FROM}' THEN"
    " RAISE EXCEPTION 'a table is rewritten: nobody could use it meanwhile'; END IF; END $$",
    "CREATE EVENT TRIGGER no_rewrite ON table_rewrite EXECUTE FUNCTION refuse_rewrite()",
)
NEEDED = text("""
SELECT column_name, udt_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = :name AND is_nullable = 'NO' AND column_default IS NULL
""")
VALUES = {
    "uuid": "gen_random_uuid()",
    "text": "'x'",
    "varchar": "'x'",
    "bytea": "'\\x00'",
    "timestamptz": "now() + interval '1 hour'",
    "date": "current_date",
    "bool": "false",
    "_text": "'{}'",
    "jsonb": "'{}'",
}


@pytest.fixture
def empty_url(postgres: PostgresServer) -> Iterator[str]:
    """A database without tables, in which a trigger refuses the rewriting of any table."""
    name = f"empty_{uuid.uuid4().hex}"
    asyncio.run(execute(postgres.url, f"CREATE DATABASE {name}"))
    url = renamed(postgres.url, name)
    for statement in NO_REWRITE:
        asyncio.run(execute(url, statement))
    yield url
    asyncio.run(execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)"))


async def insert(session: AsyncSession, table: str, **known: str) -> None:
    """A row with a value in each column that needs one, whatever the version."""
    columns = {row.column_name: row.udt_name for row in await session.execute(NEEDED, {"name": table})}
    values = {name: VALUES.get(kind, "600") for name, kind in columns.items()} | known
    await session.execute(
        text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(values.values())})")
    )


async def populate(database: Database, jobs: int) -> None:
    """A tenant with waiting jobs."""
    request = json.dumps(day()).replace("'", "''").replace(":", "\\:")
    async with database.session() as session:
        await insert(session, "tenants", name="'old'")
        for number in range(jobs):
            await insert(
                session,
                "jobs",
                tenant_id="(SELECT id FROM tenants WHERE name = 'old')",
                status="'queued'",
                model="'default'",
                request=f"'{request}'",
                request_hash=f"'\\x{number:04x}'",
                content_hash=f"'\\x{number:04x}'",
            )


@pytest.mark.parametrize("version", OLDER)
async def test_the_jobs_of_an_older_version_are_run_by_this_one(empty_url: str, version: str) -> None:
    await migrate(empty_url)
    await migrate(empty_url, version)
    database, worker = Database(empty_url, ADMIN), uuid.uuid4()
    await populate(database, 3)
    await migrate(empty_url)
    async with database.session() as session:
        await register(session, worker, "here", 30, "default", "outline", 60)
    async with database.session() as session:
        claimed = await claim(session, worker, 5)
        assert len(claimed) == 3
        for one in claimed:
            assert decode(await request_json(session, one.claim)).username == day()["username"]
            result = {"title": "t", "keywords": ["k"], "content": "# t", "sections": []}
            assert await succeed(session, one.claim, result, {}, {}) == "succeeded"
    await database.close()


async def test_the_check_finds_a_migration_that_rewrites_a_table(empty_url: str) -> None:
    await migrate(empty_url)
    with pytest.raises(asyncpg.RaiseError, match="rewritten"):
        await execute(empty_url, "ALTER TABLE jobs ALTER COLUMN priority TYPE bigint")


def test_indexes_are_made_while_others_write_in_every_migration() -> None:
    making = re.compile(r"CREATE\s+(?:UNIQUE\s+)?INDEX(?!\s+CONCURRENTLY)|\bcreate_index\(", re.IGNORECASE)
    guilty = [p.name for p in VERSIONS if p.name[1:5] >= CHECKED_FROM and making.search(p.read_text())]
    assert guilty == []
    assert all(map(making.search, ("op.create_index(", "CREATE INDEX x ON y", "create unique index x")))


def test_a_migration_waits_for_no_lock_for_long() -> None:
    assert 0 < ADMIN.lock_seconds <= 10
    assert ADMIN.server_settings()["lock_timeout"] == f"{int(ADMIN.lock_seconds * 1000)}ms"
