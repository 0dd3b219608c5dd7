"""Servers that a test may stop, and questions to their databases."""

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
from deploy.local.postgres import PostgresServer
from tests.stack.database import transaction
from tests.stack.processes import Stack
from tests.worker.test_openai import KEY, MODELS, NO_PAGE, Answer, serving

LONG = {"TIL_OUTLINE_SECONDS": "60"}
RARE_HEARTBEATS = {"TIL_LEASE_SECONDS": "180"}
"""One heartbeat a minute: what a worker learns sooner, it has not learnt from a heartbeat."""
ONE_RUN = ["submit", "claim", "succeed"]


def ask(stack: Stack, statement: str) -> object:
    """One value from the stack's database."""

    async def one() -> object:
        async with transaction(stack.database_url) as session:
            return (await session.execute(text(statement))).scalar_one()

    return asyncio.run(one())


def openai_settings(url: str) -> dict[str, str]:
    """Settings of a worker that calls the OpenAI-compatible server at this address."""
    return {
        "TIL_ENGINE": "openai",
        "TIL_OPENAI_URL": url,
        "TIL_OPENAI_KEY": KEY,
        "TIL_OPENAI_MODEL": "tiny",
    }


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
