"""claim: who gets which job, and that only the holder of a claim can end it."""

from __future__ import annotations

import asyncio
import uuid
from functools import partial

import pytest
from sqlalchemy import text

from base.database import Database
from base.errors import ClaimLost, WorkerGone
from base.states import Status
from jobs import cancel, finish, give_back
from jobs.claim import request_json
from jobs.fence import Claim
from jobs.workers import drain
from tests.jobs.conftest import NewWorker, Submit, claimed, end_lease, job, verbs
from worker.slots.reader import decode

RESULT = {"title": "t", "keywords": ["k"], "content": "# t", "sections": []}


async def test_jobs_are_claimed_in_the_order_of_their_arrival(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    ids = [await submit() for _ in range(5)]
    worker = await new_worker()
    one_by_one = [c.claim.job_id for _ in range(2) for c in await claimed(database, worker)]
    together = [c.claim.job_id for k in (2, 10) for c in await claimed(database, worker, k)]
    assert one_by_one + together == ids


async def test_priority_is_a_head_start_in_seconds_only(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    old = await submit(age_seconds=700)
    middle = await submit(age_seconds=100)
    hurried = await submit(priority=600)
    worker = await new_worker()
    order = [(await claimed(database, worker))[0].claim.job_id for _ in range(3)]
    assert order == [old, hurried, middle]


async def test_two_workers_never_get_the_same_job(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    ids = {await submit() for _ in range(40)}
    workers = [await new_worker() for _ in range(4)]
    shares = await asyncio.gather(*(claimed(database, w, 5) for w in workers * 2))
    got = [c.claim.job_id for share in shares for c in share]
    assert len(got) == len(set(got)) == 40
    assert set(got) == ids


async def test_a_worker_claims_only_for_the_model_that_it_serves(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    await submit(model="large")
    assert await claimed(database, await new_worker(model="default")) == []
    assert len(await claimed(database, await new_worker(model="large"))) == 1


async def test_a_worker_without_a_lease_or_draining_may_not_claim(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    await submit()
    with pytest.raises(WorkerGone):
        await claimed(database, await new_worker(lease_seconds=-1))
    draining = await new_worker()
    async with database.session() as session:
        await drain(session, draining)
    with pytest.raises(WorkerGone):
        await claimed(database, draining)


async def test_a_job_that_waits_for_its_retry_or_is_past_its_deadline_is_left_out(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    worker = await new_worker()
    await submit()
    (one,) = await claimed(database, worker)
    async with database.session() as session:
        assert await give_back.retry(session, one.claim, 30) == Status.QUEUED
    await submit(age_seconds=11, queue_seconds=10)
    assert await claimed(database, worker, 5) == []


async def test_a_worker_claims_at_most_one_job_that_was_lost_before(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    ids = [await submit() for _ in range(4)]
    async with database.session() as session:
        await session.execute(text("UPDATE jobs SET losses = 2 WHERE id = ANY(:ids)"), {"ids": ids[:3]})
    worker = await new_worker()
    first = {c.claim.job_id for c in await claimed(database, worker, 2)}
    assert first == {ids[0], ids[3]}
    assert await claimed(database, worker, 4) == []
    innocent = await submit()
    assert [c.claim.job_id for c in await claimed(database, worker, 1)] == [innocent]


async def test_a_finish_needs_the_claim_its_number_and_a_live_lease(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    job_id = await submit()
    worker = await new_worker()
    (one,) = await claimed(database, worker)
    strangers = [
        Claim(job_id, one.claim.claim_no + 1, worker),
        Claim(job_id, one.claim.claim_no, uuid.uuid4()),
        Claim(uuid.uuid4(), one.claim.claim_no, worker),
    ]
    for stranger in strangers:
        with pytest.raises(ClaimLost):
            async with database.session() as session:
                await finish.succeed(session, stranger, RESULT, {}, {})
    await end_lease(database, worker)
    with pytest.raises(ClaimLost):
        async with database.session() as session:
            await finish.succeed(session, one.claim, RESULT, {}, {})
    assert (await job(database, job_id)).status == Status.RUNNING


async def test_a_request_is_fetched_by_the_holder_of_the_claim_only(
    database: Database, submit: Submit, new_worker: NewWorker, tenant_id: uuid.UUID
) -> None:
    job_id, worker = await submit(), await new_worker()
    (first,) = await claimed(database, worker)
    async with database.session() as session:
        await cancel.cancel(session, tenant_id, job_id)
        assert decode(await request_json(session, first.claim)).username == "ada"
        await give_back.release(session, first.claim)
    await submit()
    (second,) = await claimed(database, worker)
    again = Claim(second.claim.job_id, second.claim.claim_no + 1, worker)
    for lost in (first.claim, again):
        with pytest.raises(ClaimLost):
            async with database.session() as session:
                await request_json(session, lost)


async def test_a_released_jobs_first_run_can_not_finish_it_even_for_the_same_worker(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    job_id = await submit()
    worker = await new_worker()
    (first,) = await claimed(database, worker)
    async with database.session() as session:
        await give_back.release(session, first.claim)
    (second,) = await claimed(database, worker)
    with pytest.raises(ClaimLost):
        async with database.session() as session:
            await finish.succeed(session, first.claim, RESULT, {}, {})
    async with database.session() as session:
        await finish.succeed(session, second.claim, RESULT, {"calls": 1}, {"engine": "outline"})
    row = await job(database, job_id)
    assert (row.status, row.attempts, row.claim_no, row.failures) == ("succeeded", 1, 2, 0)
    assert await verbs(database, job_id) == ["submit", "claim", "release", "claim", "succeed"]


async def test_a_cancel_request_wins_over_every_other_end_of_a_run(
    database: Database, submit: Submit, new_worker: NewWorker, tenant_id: uuid.UUID
) -> None:
    worker = await new_worker()
    ids = [await submit() for _ in range(4)]
    by_job = {c.claim.job_id: c.claim for c in await claimed(database, worker, 4)}
    for job_id in ids:
        async with database.session() as session:
            assert await cancel.cancel(session, tenant_id, job_id) == Status.RUNNING
    async with database.session() as session:
        error = {"code": "engine_failed", "message": "m", "retryable": True}
        ended = [
            await finish.succeed(session, by_job[ids[0]], RESULT, {}, {}),
            await finish.fail(session, by_job[ids[1]], error, "# t"),
            await give_back.retry(session, by_job[ids[2]], 1, "# t"),
            await give_back.release(session, by_job[ids[3]], "# t"),
        ]
    assert ended == [Status.CANCELLED] * 4
    assert [(await job(database, i)).partial_text for i in ids] == ["# t"] * 4


async def test_partial_text_is_kept_of_an_ended_run_only(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    worker = await new_worker()
    await submit()
    for leave in (give_back.release, partial(give_back.retry, after_seconds=0)):
        (one,) = await claimed(database, worker)
        async with database.session() as session:
            assert await leave(session, one.claim, partial_text="# t") == Status.QUEUED
        assert (await job(database, one.claim.job_id)).partial_text is None


async def test_a_run_without_a_cancel_request_can_not_end_as_cancelled(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    job_id = await submit()
    (one,) = await claimed(database, await new_worker())
    with pytest.raises(ClaimLost):
        async with database.session() as session:
            await finish.cancel_run(session, one.claim, "# t")
    assert (await job(database, job_id)).status == Status.RUNNING
