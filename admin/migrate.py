"""migrate: brings the tables to a revision; one process at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from base import preflight
from base.database import ADMIN, Database

MIGRATION_LOCK = 7_145_001
"""Id of the advisory lock by which processes that start together migrate one after another."""


async def migrate(url: str, revision: str = "head") -> None:
    """Bring the tables to `revision`: "head" upgrades to the newest, an older one downgrades.

    With "head", the tables of a newer version are left as they are: this version runs on them (a rollback).
    """
    database = Database(url, ADMIN)
    try:
        async with database.engine.connect() as connection:
            await _lock(connection)
            facts = await preflight.can_be_migrated(connection)
            await preflight.can_make_tables(connection, facts)
            if revision == "head" and facts.migrated and await _is_newer(connection):
                return
            await connection.commit()
            await connection.run_sync(_migrate, revision)
    finally:
        await database.close()


async def _lock(connection: AsyncConnection) -> None:
    """Take the migration lock for as long as the connection lives. It polls rather than wait in PostgreSQL:
    CREATE INDEX CONCURRENTLY waits for open statements, so one that waits for this lock would block it."""
    try_lock = text("SELECT pg_try_advisory_lock(:lock)")
    while not (await connection.execute(try_lock, {"lock": MIGRATION_LOCK})).scalar_one():
        await connection.commit()
        await asyncio.sleep(0.2)
    await connection.commit()


async def _is_newer(connection: AsyncConnection) -> bool:
    return await preflight.revision(connection) > preflight.newest_revision()


def _migrate(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    config.attributes["connection"] = connection
    if revision == "head":
        command.upgrade(config, revision)
    else:
        command.downgrade(config, revision)
