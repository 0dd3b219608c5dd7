"""`til-server`: administration that needs the database. Reads only `DATABASE_URL`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Coroutine

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from admin.bootstrap import bootstrap
from admin.migrate import migrate
from base import preflight
from base.database import ADMIN, Database
from base.errors import JobError
from signals.preflight import redis


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
