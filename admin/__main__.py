"""`til-server`: administration that needs the database. Reads `DATABASE_URL` and `TIL_SECRET_KEYS`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine

from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from admin.bootstrap import bootstrap
from admin.migrate import migrate
from admin.sealing import new_secret, reencrypt
from base import preflight
from base.database import ADMIN, Database
from base.errors import JobError
from base.secret_files import BadSecretFile, secret
from signals.preflight import redis
from tenants.sealing import SecretBox, new_sealing_key
from tenants.settings import SecretSettings

NOT_SEALED = "TIL_SECRET_KEYS is not set: webhook secrets are stored as plain text."


async def make_keys(database: Database, tenant: str, as_json: bool, box: SecretBox) -> None:
    """Make the tenant unless it exists, and new keys for it, and print them. They can't be shown again."""
    async with database.session() as session:
        made = await bootstrap(session, tenant, box)
    if not box.seals:
        print(f"til-server: {NOT_SEALED}", file=sys.stderr)
    if as_json:
        print(json.dumps(made))
        return
    print("Shown once; only hashes of the keys are stored.")
    for name, value in made.items():
        print(f"{name:15} {value}")


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    made = argparse.ArgumentParser(prog="til-server", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    migration = commands.add_parser("migrate", help="create or update the tables")
    migration.add_argument("revision", nargs="?", default="head", help="head, or an older one")
    keys = commands.add_parser("bootstrap", help="make a tenant with its first keys")
    keys.add_argument("--tenant", default="default")
    keys.add_argument("--json", action="store_true")
    commands.add_parser("secret-key", help="print a new key for TIL_SECRET_KEYS")
    commands.add_parser("reencrypt", help="seal all webhook secrets with the newest of TIL_SECRET_KEYS")
    secret = commands.add_parser("new-secret", help="replace a tenant's webhook secret at once and print it")
    secret.add_argument("--tenant", required=True)
    return made


def main() -> int:
    """Run one command. Exit code 1 and one sentence on failure."""
    arguments = parser().parse_args()
    if arguments.command == "secret-key":
        print(new_sealing_key())
        return 0
    try:
        url, redis_url = secret("DATABASE_URL"), secret("REDIS_URL")
    except BadSecretFile as error:
        print(f"til-server: {error}", file=sys.stderr)
        return 1
    if not url:
        print("til-server: set DATABASE_URL, e.g. postgresql://user:password@host/til", file=sys.stderr)
        return 1
    if arguments.command == "migrate":
        return _run(_migrate_and_check(url, arguments.revision, redis_url))
    return _run(_with_database(url, lambda database: _do(database, arguments)))


async def _do(database: Database, arguments: argparse.Namespace) -> None:
    try:
        box = SecretSettings().box()
    except ValidationError as error:
        raise JobError(f"TIL_SECRET_KEYS: {error.errors()[0]['msg']}.") from None
    match arguments.command:
        case "bootstrap":
            await make_keys(database, arguments.tenant, arguments.json, box)
        case "reencrypt":
            await reencrypt(database, box)
            print("All webhook secrets are sealed with the newest key.")
        case _:
            print(await new_secret(database, arguments.tenant, box))


async def _with_database(url: str, work: Callable[[Database], Awaitable[None]]) -> None:
    database = Database(url, ADMIN)
    try:
        await preflight.postgres(database)
        await work(database)
    finally:
        await database.close()


async def _migrate_and_check(url: str, revision: str, redis_url: str | None) -> None:
    """Migrate; where Redis' address is given, print the warnings about it too."""
    await migrate(url, revision)
    for warning in await redis(redis_url) if redis_url else []:
        print(f"til-server: {warning}", file=sys.stderr)


def _run(work: Coroutine[None, None, None]) -> int:
    try:
        asyncio.run(work)
    except (JobError, OSError, SQLAlchemyError, CommandError) as error:
        print(f"til-server: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
