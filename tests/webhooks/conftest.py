"""Deliveries without a worker, and a deliverer in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from sqlalchemy import text

from api.group_commit import Submitter
from base.database import Database
from base.errors import DatabaseUnavailable
from base.files import allow_many_files
from jobs import finish
from jobs.claim import claim
from jobs.outbox import enqueue_deliveries
from jobs.submission import Submission
from jobs.workers import register
from tests.stack.processes import day
from tests.stack.sealing import BOX
from til.request import TilRequest
from webhooks.deliverer import Deliverer
from webhooks.sender import Sender

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
RESULT = {"title": "t", "keywords": ["k"], "content": "# t\n" * 200, "sections": []}
SCHEDULE = (60.0, 60.0)
WITH_WEBHOOKS = """
UPDATE jobs SET webhook_url = v.url, webhook_events = '{succeeded}'
FROM unnest(CAST(:ids AS uuid[]), CAST(:urls AS text[])) AS v (id, url) WHERE jobs.id = v.id
"""
Tell = Callable[..., Awaitable[list[uuid.UUID]]]
T = TypeVar("T")


async def eventually(fact: Callable[[], Awaitable[T]], seconds: float = 20) -> T:
    """Wait until `fact()` is true and return it; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := await fact()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.02)
    return found


async def finished_jobs(pool: Database, tenant_id: uuid.UUID, urls: Sequence[str]) -> list[uuid.UUID]:
    """A job that has succeeded for each URL, most with a reused result; its delivery is still to be made."""
    submitter, worker = Submitter(pool), uuid.uuid4()
    request = TilRequest.model_validate(day(reuse=True))

    async def submit(_: str) -> uuid.UUID:
        return (await submitter.submit(Submission(tenant_id, request, "default"))).job_id

    first = await submit(urls[0])
    async with pool.session() as session:
        await register(session, worker, "here", 1, "default", "outline", 300)
        for one in await claim(session, worker, 1):
            await finish.succeed(session, one.claim, RESULT, {}, {})
    ids = [first, *await asyncio.gather(*map(submit, urls[1:]))]
    await rows(pool, WITH_WEBHOOKS, ids=ids, urls=urls)
    return ids


async def rows(database: Database, query: str, **values: object) -> list[tuple[Any, ...]]:
    """What a query of the test finds, in a transaction of its own."""
    async with database.session() as session:
        found = await session.execute(text(query), values)
        return [tuple(row) for row in found] if found.returns_rows else []  # type: ignore[attr-defined]


@pytest.fixture
def tell(database: Database, tenant_id: uuid.UUID) -> Tell:
    """Make a due delivery, of a job of its own, to each URL; the deliveries' ids in the order of the URLs."""

    async def one(*urls: str, tenant: uuid.UUID = tenant_id) -> list[uuid.UUID]:
        ids = await finished_jobs(database, tenant, urls)
        async with database.session() as session:
            await enqueue_deliveries(session, ids, "succeeded")
        made = await rows(database, "SELECT job_id, id FROM deliveries WHERE job_id = ANY (:ids)", ids=ids)
        by_job = dict(made)
        return [by_job[job_id] for job_id in ids]

    return one


@pytest.fixture(scope="session", autouse=True)
def open_files() -> None:
    """Both ends of many connections are in one process here."""
    allow_many_files()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    """Posts to loopback, for five seconds at most."""
    made = Sender("til-queue/test", 5, LOOPBACK)
    yield made
    await made.close()


@asynccontextmanager
async def at_work(
    database: Database, sender: Sender, schedule: Sequence[float] = SCHEDULE
) -> AsyncIterator[Deliverer]:
    """A deliverer that runs as in the steward, until the end of the block."""
    deliverer = Deliverer(database, sender, schedule, BOX)

    async def for_ever(step: Callable[[], Awaitable[None]]) -> None:
        while True:
            with contextlib.suppress(DatabaseUnavailable):
                await step()

    loops = [asyncio.create_task(for_ever(step)) for step in (deliverer.step, deliverer.mark_due)]
    try:
        yield deliverer
    finally:
        for loop in loops:
            loop.cancel()
        ended = await asyncio.gather(*loops, return_exceptions=True)
        await deliverer.finish()
    assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended
