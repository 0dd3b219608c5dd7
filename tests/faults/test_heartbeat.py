"""Heartbeats, claims and finishes of a worker that overlap, while its database comes and goes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from api.group_commit import Submitter
from base.database import WORKER, Database
from base.states import Status
from jobs.submission import Submission
from signals.doorbell import Ringer
from signals.pubsub import Live
from tests.conftest import execute
from tests.jobs.conftest import end_lease, job, verbs
from tests.stack.processes import day
from tests.stack.proxy import Proxy
from til.request import TilRequest
from worker.engines import Call, Completion, OnText
from worker.engines.outline.engine import OutlineEngine
from worker.live.reporter import LiveReporter
from worker.metrics import TokenRate
from worker.slots.claimer import Claimer
from worker.slots.heartbeat import Heartbeat
from worker.slots.in_flight import InFlight
from worker.slots.kv_admission import KvAdmission
from worker.slots.run import Runner
from worker.writing.day_parts import PARTS_AT_ONCE

LEASE_SECONDS = 15.0


class Engine(OutlineEngine):
    """Answers the probe if `answers`, and calls `first` before it writes."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = True
        self.first: Callable[[], Awaitable[None]] | None = None

    async def alive(self) -> bool:
        """Whether it is set to answer."""
        return self.answers

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Do it, then write."""
        if self.first:
            await self.first()
        return await super().generate(call, on_text)


@dataclass
class Parts:
    """The parts of a worker, connected to the database through `proxy`; `database` is a direct connection."""

    database: Database
    tenant_id: uuid.UUID
    proxy: Proxy
    far: Database
    live: Live
    ringer: Ringer
    engine: Engine = field(default_factory=Engine)
    died: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.in_flight = InFlight(KvAdmission(PARTS_AT_ONCE), 30)
        self.claimer = Claimer(self.far, self.live, self.in_flight, self.ringer, "default", uuid.uuid4())
        shared = (self.far, self.engine, self.in_flight, self.claimer)
        self.pulse = Heartbeat(*shared, "default", 30, LEASE_SECONDS, lambda: 0.0, self.died.append)

    def runner(self, beat: Callable[[], Awaitable[bool]]) -> Runner:
        """A runner that calls `beat` for a heartbeat."""
        reporter = LiveReporter(self.live, TokenRate())
        shared = (self.far, self.engine, self.live, self.in_flight, self.claimer, reporter)
        return Runner(*shared, beat, self.died.append, 1000)

    async def submit(self) -> uuid.UUID:
        """A small job."""
        submission = Submission(self.tenant_id, TilRequest.model_validate(day()), "default")
        return (await Submitter(self.database).submit(submission)).job_id

    async def workers(self) -> int:
        """How many have ever been registered."""
        async with self.database.session() as session:
            return int((await session.execute(text("SELECT count(*) FROM workers"))).scalar_one())


@pytest.fixture
async def parts(
    database: Database, tenant_id: uuid.UUID, proxied_url: str, proxy: Proxy, redis_url: str
) -> AsyncIterator[Parts]:
    """A registered worker's."""
    live, ringer = Live(redis_url), Ringer(redis_url)
    far = Database(proxied_url, WORKER)
    made = Parts(database, tenant_id, proxy, far, live, ringer)
    await made.pulse.register()
    yield made
    await far.close()
    await live.close()
    await asyncio.to_thread(ringer.close)


async def test_simultaneous_heartbeats_register_a_worker_once_and_keep_its_new_claims(
    parts: Parts,
) -> None:
    for _ in range(5):
        await parts.submit()
    await end_lease(parts.database, parts.claimer.worker_id)
    beats = [asyncio.create_task(parts.pulse.beat()) for _ in range(10)]
    assert await beats[0] is False
    runs = [await parts.claimer.next() for _ in range(5)]
    await asyncio.gather(*beats)
    assert await parts.workers() == 2
    assert [run and run.stopped for run in runs] == [None] * 5


async def test_after_a_claim_that_crashed_the_next_one_gets_the_job(parts: Parts, database_url: str) -> None:
    await parts.submit()
    await execute(database_url, "ALTER TABLE deliveries RENAME TO away")
    async with asyncio.timeout(30):
        assert await asyncio.gather(*(parts.claimer.next() for _ in range(3))) == [None] * 3
    await execute(database_url, "ALTER TABLE away RENAME TO deliveries")
    async with asyncio.timeout(30):
        assert await parts.claimer.next() is not None


async def test_a_result_is_kept_when_the_heartbeat_after_its_refusal_fails(
    parts: Parts,
) -> None:
    job_id = await parts.submit()
    asked = 0

    async def beat() -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            parts.proxy.shut()
        try:
            return await parts.pulse.beat()
        finally:
            parts.proxy.open()

    parts.engine.first = lambda: end_lease(parts.database, parts.claimer.worker_id)
    await parts.runner(beat).run_one()
    await parts.in_flight.empty()
    assert (await job(parts.database, job_id)).status == Status.SUCCEEDED
    assert (asked, await verbs(parts.database, job_id)) == (2, ["submit", "claim", "succeed"])


async def test_a_lease_that_ended_in_an_outage_is_not_renewed_if_the_engine_was_silent(
    parts: Parts,
) -> None:
    await parts.submit()
    run = await parts.claimer.next()
    assert run
    parts.proxy.shut()
    assert await parts.pulse.beat() is False
    parts.engine.answers = False
    assert await parts.pulse.beat() is False
    parts.proxy.open()
    await end_lease(parts.database, parts.claimer.worker_id)
    parts.engine.answers = True
    assert await parts.pulse.beat() is False
    assert (run.stopped, await parts.workers()) == ("lost", 2)


async def test_a_worker_that_was_not_frozen_renews_a_lease_that_ended_in_an_outage(
    parts: Parts,
) -> None:
    await parts.submit()
    run = await parts.claimer.next()
    assert run
    parts.proxy.shut()
    assert await parts.pulse.beat() is False
    parts.proxy.open()
    await end_lease(parts.database, parts.claimer.worker_id)
    assert await parts.pulse.beat() is True
    assert (run.stopped, await parts.workers()) == (None, 1)
