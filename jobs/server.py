"""`til-server`: administration that needs the database. Reads only `DATABASE_URL`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Coroutine
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobs import preflight
from jobs.database import ADMIN, Database
from jobs.errors import JobError
from jobs.preflight_redis import redis
from jobs.tenants import bootstrap

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


async def make_keys(url: str, tenant: str, as_json: bool) -> None:
    """Make the tenant unless it is there, and new keys for it; print them: this once."""
    database = Database(url, ADMIN)
    try:
        await preflight.postgres(database)
        async with database.session() as session:
            made = await bootstrap(session, tenant)
    finally:
        await database.close()
    if as_json:
        print(json.dumps(made))
        return
    print("Shown once; only hashes of the keys are stored.")
    for name, value in made.items():
        print(f"{name:15} {value}")


def main() -> int:
    """The command line; exit code 1 and one sentence on failure."""
    parser = argparse.ArgumentParser(prog="til-server", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    migration = commands.add_parser("migrate", help="create or update the tables")
    migration.add_argument("revision", nargs="?", default="head", help="head, or an older one")
    keys = commands.add_parser("bootstrap", help="make a tenant with its first keys")
    keys.add_argument("--tenant", default="default")
    keys.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    url = os.environ.get("DATABASE_URL")
    if not url:
        print("til-server: set DATABASE_URL, e.g. postgresql://user:password@host/til", file=sys.stderr)
        return 1
    if arguments.command == "migrate":
        return _run(_migrate_and_look(url, arguments.revision, os.environ.get("REDIS_URL")))
    return _run(make_keys(url, arguments.tenant, arguments.json))


async def _migrate_and_look(url: str, revision: str, redis_url: str | None) -> None:
    """Migrate, then say what an operator should know of Redis too, where its address is given."""
    await migrate(url, revision)
    for note in await redis(redis_url) if redis_url else []:
        print(f"til-server: {note}", file=sys.stderr)


def _run(work: Coroutine[None, None, None]) -> int:
    try:
        asyncio.run(work)
    except (JobError, OSError, SQLAlchemyError, CommandError) as error:
        print(f"til-server: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
