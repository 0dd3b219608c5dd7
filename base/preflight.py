"""Checks of PostgreSQL that a process makes when it starts, and `til-server migrate` too.

What only an operator can repair raises UnfitServer, whose message says how. An unreachable server raises
DatabaseUnavailable: the process then starts nevertheless and retries, as in any outage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from base.database import OLDEST_SERVER, Database, unavailable_is_one_error
from base.errors import DatabaseUnavailable, NotMigrated, UnfitServer, UnsupportedDatabase

MIGRATIONS = Path(__file__).parent.parent / "migrations" / "versions"
RIGHTS = {
    "tenants": "SELECT, INSERT, UPDATE",
    "api_keys": "SELECT, INSERT, UPDATE",
    "workers": "SELECT, INSERT, UPDATE, DELETE",
    "worker_starts": "SELECT, INSERT, UPDATE, DELETE",
    "jobs": "SELECT, INSERT, UPDATE",
    "job_events": "SELECT, INSERT",
    "deliveries": "SELECT, INSERT, UPDATE",
    "delivery_attempts": "SELECT, INSERT",
    "webhook_endpoints": "SELECT, INSERT, UPDATE, DELETE",
    "figures": "SELECT, INSERT, UPDATE",
    "alembic_version": "SELECT",
}
FACTS = text("""
SELECT current_user AS role, current_database() AS name, current_schema() AS schema,
    pg_is_in_recovery() AS standby,
    current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding,
    current_setting('transaction_read_only') = 'on' AS read_only, to_regclass('jobs') IS NOT NULL AS migrated,
    EXISTS (SELECT FROM pg_class WHERE relname = 'alembic_version') AS in_some_schema,
    (SELECT array_agg(name || '=off' ORDER BY name) FROM pg_settings
     WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off') AS unsafe
""")
MISSING_RIGHTS = text("""
SELECT tables.name, wanted
FROM unnest(CAST(:tables AS text[]), CAST(:rights AS text[])) AS tables (name, rights),
    unnest(string_to_array(tables.rights, ', ')) AS wanted
WHERE to_regclass(tables.name) IS NOT NULL AND NOT has_table_privilege(tables.name, wanted)
""")


async def postgres(database: Database) -> list[str]:
    """Warnings for the operator about PostgreSQL. Raises UnfitServer, DatabaseUnavailable."""
    with unavailable_is_one_error():
        async with database.engine.connect() as connection:
            facts = await can_be_migrated(connection)
            if not facts.migrated:
                raise _no_tables(facts)
            await _check_rights(connection, facts)
            if await revision(connection) < newest_revision():
                raise NotMigrated
    if not facts.unsafe:
        return []
    return [
        f"{', '.join(facts.unsafe)}: a job that was accepted may be lost when PostgreSQL's machine fails."
    ]


async def can_be_migrated(connection: AsyncConnection) -> Row[Any]:
    """`FACTS` of a server, with tables or without. Raises UnfitServer; DatabaseUnavailable when read-only."""
    facts = (await connection.execute(FACTS)).one()
    if facts.version < OLDEST_SERVER:
        raise UnsupportedDatabase
    if facts.encoding != "UTF8":
        raise UnfitServer(
            f"The database {facts.name} has the encoding {facts.encoding}, which can't keep every text:"
            " make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, for DATABASE_URL."
        )
    if facts.standby or facts.read_only:
        raise DatabaseUnavailable("PostgreSQL is read-only at the moment: a standby, or set so.")
    return facts


async def can_make_tables(connection: AsyncConnection, facts: Row[Any]) -> None:
    """Raise UnfitServer unless the role may make tables."""
    allowed = text("SELECT has_schema_privilege(CAST(:schema AS text), 'CREATE')")
    schema = facts.schema or "public"
    if not await connection.scalar(allowed, {"schema": schema}):
        raise UnfitServer(
            f"The role {facts.role} may make no tables:"
            f" GRANT USAGE, CREATE ON SCHEMA {schema} TO {facts.role}"
        )


def _no_tables(facts: Row[Any]) -> UnfitServer:
    """Why the role finds no tables: there are none, or it may not use the schema that has them."""
    if facts.schema is not None or not facts.in_some_schema:
        return NotMigrated()
    return UnfitServer(f"The role {facts.role} sees no tables: GRANT USAGE ON SCHEMA public TO {facts.role}")


async def _check_rights(connection: AsyncConnection, facts: Row[Any]) -> None:
    needed = {"tables": list(RIGHTS), "rights": list(RIGHTS.values())}
    missing = (await connection.execute(MISSING_RIGHTS, needed)).all()
    if missing:
        table, right = missing[0]
        raise UnfitServer(
            f"The role {facts.role} lacks {right} on {table} and {len(missing) - 1} other rights:"
            f" GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {facts.schema} TO {facts.role}"
        )


async def revision(connection: AsyncConnection) -> str:
    """The newest migration that the tables have; "" if none."""
    return await connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


def newest_revision() -> str:
    """The newest migration that this version has; a database may have newer ones."""
    return max(path.name[1:5] for path in MIGRATIONS.glob("v[0-9]*.py"))
