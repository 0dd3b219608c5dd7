"""migrate: the tables are brought to a revision, by one process at a time."""

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
"""Advisory lock: two servers that start together migrate one after the other."""


async def migrate(url: str, revision: str = "head") -> None:
    """Bring the tables to `revision` ("head", or an older one: a downgrade), one migration after another."""
    database = Database(url, ADMIN)
    try:
        async with database.engine.connect() as connection:
            await _wait_for_turn(connection)
            await preflight.can_make_tables(connection, await preflight.can_be_migrated(connection))
            await connection.commit()
            await connection.run_sync(_migrate, revision)
    finally:
        await database.close()


async def _wait_for_turn(connection: AsyncConnection) -> None:
    """Until this connection ends, no other migrates. Asked again and again, for an index can't be made
    concurrently while any statement, even one that waits for this lock, is under way."""
    ask = text("SELECT pg_try_advisory_lock(:lock)")
    while not (await connection.execute(ask, {"lock": MIGRATION_LOCK})).scalar_one():
        await connection.commit()
        await asyncio.sleep(0.2)
    await connection.commit()


def _migrate(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    config.attributes["connection"] = connection
    if revision == "head":
        command.upgrade(config, revision)
    else:
        command.downgrade(config, revision)
