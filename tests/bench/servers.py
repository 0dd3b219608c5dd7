"""What our processes stand on in a bench."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stack.processes import Stack
from tests.stack.servers import durable_servers


@contextmanager
def servers(folder: Path) -> Iterator[tuple[Stack, dict[str, int]]]:
    """A stack on PostgreSQL and Valkey; the ids of all of these processes by name."""
    with durable_servers(folder) as (postgres, valkey):
        stack = Stack(postgres.url, valkey.url, folder)
        try:
            pids = {"postgres": postgres.child.pid, "valkey": valkey.child.pid, "client": os.getpid()}
            yield stack, pids
        finally:
            stack.stop()


@contextmanager
def logs_of_a_failure(folder: Path) -> Iterator[None]:
    """Print the ends of all logs, which go with the folder, before the error."""
    try:
        yield
    except Exception:
        for log in sorted(folder.glob("*.log")):
            print(f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
        raise
