"""PostgreSQL and Valkey for a bench."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from admin.migrate import migrate
from deploy.local.postgres import PostgresServer
from deploy.local.valkey import ValkeyServer
from tests.stack.processes import Stack


@contextmanager
def servers(folder: Path) -> Iterator[tuple[Stack, dict[str, int]]]:
    """What our processes stand on, as durable as in production; the processes' ids by name."""
    postgres = PostgresServer(folder / "pg" / "data", {"max_connections": "200"}, folder / "pg.log")
    valkey = ValkeyServer(folder / "valkey", folder / "valkey.log")
    try:
        postgres.start()
        valkey.start()
        asyncio.run(migrate(postgres.url))
        stack = Stack(postgres.url, valkey.url, folder)
        try:
            pids = {"postgres": postgres.child.pid, "valkey": valkey.child.pid, "client": os.getpid()}
            yield stack, pids
        finally:
            stack.stop()
    finally:
        valkey.stop()
        postgres.stop()


@contextmanager
def logs_of_a_failure(folder: Path) -> Iterator[None]:
    """Print the ends of all logs, which go with the folder, before the error."""
    try:
        yield
    except Exception:
        for log in sorted(folder.glob("*.log")):
            print(f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
        raise
