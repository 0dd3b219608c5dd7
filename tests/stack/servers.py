"""PostgreSQL and Valkey for what is run outside pytest: benches, rehearsals, chaos."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from admin.migrate import migrate
from deploy.local.postgres import PostgresServer
from deploy.local.valkey import ValkeyServer


@contextmanager
def durable_servers(folder: Path) -> Iterator[tuple[PostgresServer, ValkeyServer]]:
    """Both, for as long as the block: as durable as in production, and migrated."""
    postgres = PostgresServer(folder / "pg" / "data", {"max_connections": "200"}, folder / "pg.log")
    valkey = ValkeyServer(folder / "valkey", folder / "valkey.log")
    try:
        postgres.start()
        valkey.start()
        asyncio.run(migrate(postgres.url))
        yield postgres, valkey
    finally:
        valkey.stop()
        postgres.stop()
