"""The heartbeat: one statement that renews the lease and releases claims that the worker doesn't know."""

from __future__ import annotations

import uuid

from sqlalchemy import event, text

from base.database import Database
from jobs import cancel
from jobs.fence import Claim
from jobs.workers import heartbeat
from tests.jobs.conftest import NewWorker, Submit, claimed, job, verbs


async def test_a_heartbeat_releases_claims_that_the_worker_does_not_know_of(
    database: Database, submit: Submit, new_worker: NewWorker, tenant_id: uuid.UUID
) -> None:
    worker = await new_worker()
    ids = [await submit() for _ in range(3)]
    by_job = {c.claim.job_id: c.claim for c in await claimed(database, worker, 3)}
    lost = Claim(uuid.uuid4(), 1, worker)
    async with database.session() as session:
        await cancel.cancel(session, tenant_id, ids[1])
    async with database.session() as session:
        beat = await heartbeat(session, worker, [by_job[ids[0]], by_job[ids[1]], lost], 15, 0.0)
    assert (beat.lost, beat.cancelled, beat.released) == (frozenset({lost}), frozenset({by_job[ids[1]]}), 1)
    row = await job(database, ids[2])
    assert (row.status, row.attempts, row.failures, row.losses) == ("queued", 0, 0, 0)


async def test_an_unknown_claim_with_a_cancel_request_ends_as_cancelled_and_is_returned(
    database: Database, submit: Submit, new_worker: NewWorker, tenant_id: uuid.UUID
) -> None:
    worker = await new_worker()
    job_id = await submit(webhook={"url": "https://example.com/", "events": ["cancelled"]})
    await claimed(database, worker)
    async with database.session() as session:
        await cancel.cancel(session, tenant_id, job_id)
    async with database.session() as session:
        assert (await heartbeat(session, worker, [], 15, 0.0)).released == 1
        told = text("SELECT event FROM deliveries WHERE job_id = :id")
        assert list((await session.execute(told, {"id": job_id})).scalars()) == ["cancelled"]
    assert await verbs(database, job_id) == ["submit", "claim", "ask_cancel", "cancel"]


async def test_a_heartbeat_is_one_statement_with_all_that_is_held(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    worker = await new_worker()
    for _ in range(30):
        await submit()
    held = [c.claim for c in await claimed(database, worker, 30)]
    sent: list[str] = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *a: sent.append(a[2]))
    async with database.session() as session:
        found = await heartbeat(session, worker, held[1:], 15, 0.0)
    assert (len(sent), found.lost, found.released) == (1, frozenset(), 1)
    row = await job(database, held[0].job_id)
    assert (row.status, row.attempts) == ("queued", 0)
