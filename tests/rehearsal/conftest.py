"""Which of these tests there are on this machine, and the version that an upgrade replaces."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.postgres import PostgresServer
from tests.conftest import execute, renamed
from tests.monitoring.programs import find
from tests.rehearsal.deployment import DEPLOY_PYTHON
from tests.rehearsal.upgrade import OldStack
from tests.rehearsal.versions import ABSENT, previous_commit, unpack
from tests.stack.receiver import Receiver

PREVIOUS = previous_commit()
MISSING = {
    "test_scaling.py": ""
    if find("prometheus") and DEPLOY_PYTHON.exists()
    else "make deploy-check installs them",
    "test_upgrade.py": "" if PREVIOUS else ABSENT,
}
collect_ignore = [name for name, why in MISSING.items() if why]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which rehearsals there are not, and why."""
    for name, why in MISSING.items():
        if why:
            terminalreporter.write_line(f"tests/rehearsal/{name} is left out: {why}")


@pytest.fixture(scope="session")
def old(servers: Path) -> Path:
    """The previous version's files."""
    assert PREVIOUS
    return unpack(PREVIOUS, servers / "old")


@pytest.fixture
def old_stack(postgres: PostgresServer, redis_url: str, tmp_path: Path, old: Path) -> Iterator[OldStack]:
    """A stack on a database that the previous version has made."""
    name = f"old_{uuid.uuid4().hex}"
    asyncio.run(execute(postgres.url, f"CREATE DATABASE {name}"))
    stack = OldStack(renamed(postgres.url, name), redis_url, tmp_path, old)
    yield stack
    stack.stop()
    asyncio.run(execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def old_receiver(old_stack: OldStack) -> Iterator[Receiver]:
    """A consumer of that stack's webhooks."""
    server = Receiver(old_stack.keys["webhook_secret"])
    yield server
    server.close()
