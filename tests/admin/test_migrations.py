"""The migrations go up and down, and the tables match the models."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from admin.migrate import migrate
from api.group_commit import Submitter
from base.database import ADMIN, Database
from base.errors import NotMigrated
from base.tables import Table
from deploy.local.postgres import PostgresServer
from jobs.submission import Submission
from jobs.submit import insert_batch
from tests.conftest import execute, renamed
from tests.stack.processes import day
from til.request import TilRequest

WAITS = text(
    "SELECT count(*) FROM pg_locks WHERE locktype IN ('virtualxid', 'transactionid') AND NOT granted"
)
OBJECTS = text(
    "SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version')"
    " + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)"
)


@pytest.fixture
def empty_url(postgres: PostgresServer) -> Iterator[str]:
    """A database without any tables."""
    name = f"empty_{uuid.uuid4().hex}"
    asyncio.run(execute(postgres.url, f"CREATE DATABASE {name}"))
    yield renamed(postgres.url, name)
    asyncio.run(execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)"))


async def objects(url: str) -> int:
    database = Database(url, ADMIN)
    async with database.session() as session:
        count = (await session.execute(OBJECTS)).scalar_one()
    await database.close()
    return int(count)


async def test_a_downgrade_removes_everything_and_an_upgrade_makes_it_again(empty_url: str) -> None:
    database = Database(empty_url, ADMIN)
    with pytest.raises(NotMigrated):
        await database.check()
    await migrate(empty_url)
    await database.check()
    full = await objects(empty_url)
    await migrate(empty_url, "base")
    assert await objects(empty_url) == 0
    await migrate(empty_url)
    assert await objects(empty_url) == full > 8
    await database.close()


async def test_servers_that_start_together_migrate_one_after_the_other(empty_url: str) -> None:
    await asyncio.gather(*(migrate(empty_url) for _ in range(4)))
    assert await objects(empty_url) > 8


async def test_an_older_version_leaves_the_tables_of_a_newer_one_as_they_are(database_url: str) -> None:
    await execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    await migrate(database_url)
    database = Database(database_url, ADMIN)
    async with database.session() as session:
        assert await session.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    await database.close()


VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('jobs_by_repo')")


async def test_an_index_left_invalid_by_an_interrupted_migration_is_made_again(
    database: Database, database_url: str
) -> None:
    half_done = (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'jobs_by_repo'::regclass",
        "DROP INDEX jobs_by_username",
        "UPDATE alembic_version SET version_num = '0008'",
    )
    for statement in half_done:
        await execute(database_url, statement)
    await migrate(database_url)
    async with database.session() as session:
        assert (await session.execute(VALID)).scalar_one() is True
        assert (await session.execute(text("SELECT to_regclass('jobs_by_username')"))).scalar_one()


async def test_indexes_are_made_while_others_write(
    database: Database, database_url: str, tenant_id: uuid.UUID
) -> None:
    await migrate(database_url, "0008")
    async with database.session() as session:
        await insert_batch(session, [submission(tenant_id)])
        migration = asyncio.create_task(migrate(database_url))
        async with database.session() as other:
            while not (await other.execute(WAITS)).scalar_one():
                await asyncio.sleep(0.01)
        await Submitter(database).submit(submission(tenant_id))
        assert not migration.done()
    await migration
    async with database.session() as session:
        assert (await session.execute(VALID)).scalar_one() is True


def submission(tenant_id: uuid.UUID) -> Submission:
    return Submission(tenant_id, TilRequest.model_validate(day()), "default")


def differences(connection: Connection) -> list[object]:
    """Tables and columns only: indexes and CHECKs are the migrations' own."""
    found = compare_metadata(MigrationContext.configure(connection), Table.metadata)
    return [d for d in found if isinstance(d, tuple) and d[0] in {"add_table", "add_column", "remove_column"}]


async def test_the_tables_match_the_models(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.parametrize("url", ["", "nonsense", "postgresql://til@127.0.0.1:1/til"])
def test_a_database_that_can_not_be_reached_is_one_sentence(url: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "admin", "migrate"],
        check=False,
        capture_output=True,
        text=True,
        env=environment | ({"DATABASE_URL": url} if url else {}),
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("til-server: ")
