"""Statements read only the rows that are due or asked for, in a table of hundreds of thousands."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from base.database import ADMIN, Database
from deploy.local.postgres import PostgresServer
from tests.conftest import execute, renamed
from tests.scale.calls import CALLS
from tests.scale.data import ROWS, fill
from tests.scale.explain import faults
from tests.scale.world import make

SHAPES = {"a long queue": (ROWS, ROWS), "hardly anything waits": (100, 100_000)}


def senders() -> set[str]:
    """Every public function of these packages whose first parameter is a session."""
    found = set()
    for package in ("capacity", "tenants", "jobs", "webhooks", "admin"):
        for path in sorted(Path(package).glob("*.py")):
            if path.stem.startswith("__"):
                continue
            name = f"{package}.{path.stem}"
            for function in vars(importlib.import_module(name)).values():
                if inspect.iscoroutinefunction(function) and function.__module__ == name:
                    found |= {f"{name}.{function.__name__}"} if _takes_a_session(function) else set()
    return found


def _takes_a_session(function: Callable[..., object]) -> bool:
    public = not function.__name__.startswith("_")
    return public and next(iter(inspect.signature(function).parameters), "") == "session"


def test_every_function_that_sends_statements_is_explained() -> None:
    assert senders() == set(CALLS)


@pytest.fixture(scope="module", params=SHAPES)
def full_url(request: pytest.FixtureRequest, postgres: PostgresServer, template: str) -> Iterator[str]:
    """A database with so many rows."""
    name = f"full_{uuid.uuid4().hex}"
    asyncio.run(execute(postgres.url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    url = renamed(postgres.url, name)
    asyncio.run(fill(url, *SHAPES[request.param]))
    yield url
    asyncio.run(execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def full(full_url: str) -> AsyncIterator[Database]:
    """Connections to it."""
    database = Database(full_url, ADMIN)
    yield database
    await database.close()


@pytest.mark.parametrize("name", CALLS)
async def test_a_statement_reads_little(full: Database, name: str) -> None:
    async with full.session() as session:
        world = await make(session)
        count, wrong = await faults(full.engine, session, lambda: CALLS[name](session, world))
        await session.rollback()
    assert count
    assert not wrong, "\n".join(wrong)
