"""Servers that a test may stop, and paths to them that it may cut."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from sqlalchemy import text

from admin.migrate import migrate
from base.database import ADMIN, Database
from deploy.local.postgres import PostgresServer
from tests.stack.processes import Stack
from tests.stack.proxy import Proxy, to_postgres
from tests.worker.test_openai import MODELS, NO_PAGE, Answer, serving

LONG = {"TIL_OUTLINE_SECONDS": "60"}
RARE_HEARTBEATS = {"TIL_LEASE_SECONDS": "180"}
"""One heartbeat a minute: what a worker learns sooner, it has not learnt from a heartbeat."""
ONE_RUN = ["submit", "claim", "succeed"]


def ask(stack: Stack, statement: str) -> object:
    """One value from the stack's database."""

    async def one() -> object:
        pool = Database(stack.database_url, ADMIN)
        try:
            async with pool.session() as session:
                return (await session.execute(text(statement))).scalar_one()
        finally:
            await pool.close()

    return asyncio.run(one())


@contextlib.contextmanager
def served(
    answer: Answer,
    models: Callable[[], bytes] = lambda: MODELS,
    metrics: Callable[[], bytes] = lambda: NO_PAGE,
) -> Iterator[str]:
    """The URL of an OpenAI-compatible server in a thread, whose chat completions `answer` writes."""
    started: Future[str] = Future()
    done = threading.Event()

    async def serve() -> None:
        async with serving(answer, models, metrics) as url:
            started.set_result(url)
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield started.result(10)
    finally:
        done.set()
        thread.join(20)


@pytest.fixture
def own_postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """A migrated server of this test's own, which it may stop."""
    server = PostgresServer(server_folder / "data", {"fsync": "off"}, server_folder / "log")
    server.start()
    asyncio.run(migrate(server.url))
    yield server
    server.stop()


@pytest.fixture
def own_stack(own_postgres: PostgresServer, redis_url: str, tmp_path: Path) -> Iterator[Stack]:
    """Processes on that server."""
    stack = Stack(own_postgres.url, redis_url, tmp_path)
    yield stack
    stack.stop()


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[Proxy]:
    """On the way to this run's PostgreSQL."""
    made = Proxy(to_postgres(postgres.url))
    yield made
    made.close()


@pytest.fixture
def proxied_url(database_url: str, proxy: Proxy) -> str:
    """This test's database through the proxy."""
    return proxy.to(database_url)
