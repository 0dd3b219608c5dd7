"""submit: many at once, idempotency keys, reused results."""

from __future__ import annotations

import asyncio
import hashlib
import uuid

import pytest
from sqlalchemy import func, select, text, update

from api.group_commit import Submitter
from base.database import ADMIN, Database
from base.errors import IdempotencyKeyReused, LockTimeout
from base.tables import Job
from jobs import finish
from jobs.submission import Submission, Submitted
from jobs.submit import insert_batch
from tests.jobs.conftest import NewWorker, claimed, job, verbs
from tests.stack.processes import day
from til.request import TilRequest


def submission(tenant_id: uuid.UUID, key: str | None = None, **more: object) -> Submission:
    return Submission(tenant_id, TilRequest.model_validate(day(**more)), "default", key)


async def count(database: Database) -> int:
    async with database.session() as session:
        return (await session.execute(select(func.count()).select_from(Job))).scalar_one()


async def test_concurrent_submits_share_few_commits(database: Database, tenant_id: uuid.UUID) -> None:
    submitter = Submitter(database)
    done = await asyncio.gather(*(submitter.submit(submission(tenant_id)) for _ in range(150)))
    assert len({one.job_id for one in done}) == 150 == await count(database)
    async with database.session() as session:
        transactions = text("SELECT count(DISTINCT xmin::text) FROM jobs")
        assert (await session.execute(transactions)).scalar_one() <= 5


async def test_the_same_key_and_body_make_one_job_also_through_two_apis(
    database: Database, tenant_id: uuid.UUID
) -> None:
    apis = [Submitter(database), Submitter(database)]
    asked = [api.submit(submission(tenant_id, "k")) for api in apis for _ in range(5)]
    done = await asyncio.gather(*asked)
    assert len({one.job_id for one in done}) == 1 == await count(database)
    assert sum(not one.replayed for one in done) == 1


class Later(TilRequest):
    """The request of a version that knows one field more."""

    tone: str = "plain"


async def test_a_field_that_a_later_version_adds_changes_no_hash(tenant_id: uuid.UUID) -> None:
    now = submission(tenant_id).row
    later = Submission(tenant_id, Later.model_validate(day()), "default").row
    other = Submission(tenant_id, Later.model_validate(day(tone="loud")), "default").row
    for name in ("request_hash", "content_hash"):
        assert now[name] == later[name] != other[name]


async def test_a_key_whose_hash_covered_defaults_is_still_replayed(
    database: Database, tenant_id: uuid.UUID
) -> None:
    submitter = Submitter(database)
    first = await submitter.submit(submission(tenant_id, "k"))
    earlier = hashlib.sha256(submission(tenant_id).row["request"].encode()).digest()
    async with database.session() as session:
        await session.execute(update(Job).values(request_hash=earlier))
    again = await submitter.submit(submission(tenant_id, "k"))
    assert (again.job_id, again.replayed) == (first.job_id, True)
    with pytest.raises(IdempotencyKeyReused):
        await submitter.submit(submission(tenant_id, "k", language="ko"))


async def test_the_same_key_with_another_body_is_refused_alone(
    database: Database, tenant_id: uuid.UUID
) -> None:
    submitter = Submitter(database)
    await submitter.submit(submission(tenant_id, "k"))
    outcomes = await asyncio.gather(
        submitter.submit(submission(tenant_id, "k", language="ko")),
        submitter.submit(submission(tenant_id, "other")),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], IdempotencyKeyReused)
    assert not isinstance(outcomes[1], BaseException)
    assert await count(database) == 2


async def test_a_key_is_remembered_for_a_day_only(database: Database, tenant_id: uuid.UUID) -> None:
    submitter = Submitter(database)
    first = await submitter.submit(submission(tenant_id, "k"))
    async with database.session() as session:
        await session.execute(text("UPDATE jobs SET created_at = created_at - interval '25 h'"))
    second = await submitter.submit(submission(tenant_id, "k", language="ko"))
    assert second.job_id != first.job_id
    assert not second.replayed


async def test_reuse_takes_the_result_of_an_equal_finished_request(
    database: Database, tenant_id: uuid.UUID, new_worker: NewWorker
) -> None:
    submitter = Submitter(database)
    nothing_yet = await submitter.submit(submission(tenant_id, reuse=True))
    assert not nothing_yet.reused
    (one,) = await claimed(database, await new_worker())
    async with database.session() as session:
        await finish.succeed(session, one.claim, {"content": "x"}, {}, {"engine": "outline"})
    webhook = {"url": "https://example.com/", "events": ["succeeded"]}
    again = await submitter.submit(submission(tenant_id, reuse=True, priority=5, webhook=webhook))
    other = await submitter.submit(submission(tenant_id, reuse=True, language="ko"))
    assert (again.reused, other.reused) == (True, False)
    row = await job(database, again.job_id)
    assert (row.status, row.result, row.reused) == ("succeeded", {"content": "x"}, True)
    assert await verbs(database, again.job_id) == ["reuse"]
    async with database.session() as session:
        told = text("SELECT count(*) FROM deliveries WHERE job_id = :id")
        assert (await session.execute(told, {"id": again.job_id})).scalar_one() == 1


@pytest.mark.parametrize("language", ["ko-KR", "en-GB", "JA", "zh-Hant-TW"])
def test_a_language_is_chosen_by_its_primary_subtag(language: str) -> None:
    assert TilRequest.model_validate(day(language=language)).language == language[:2].lower()


async def test_two_apis_with_opposite_orders_of_keys_never_deadlock(
    database: Database, tenant_id: uuid.UUID
) -> None:
    for number in range(20):
        keys = [f"{number}-{n}" for n in range(10)]
        batches = [[submission(tenant_id, key) for key in order] for order in (keys, keys[::-1])]
        assert len(await inserted_at_once(database, batches)) == len(keys)


async def test_two_apis_with_opposite_orders_of_keys_and_some_reused_results_never_deadlock(
    database: Database, tenant_id: uuid.UUID, new_worker: NewWorker
) -> None:
    await Submitter(database).submit(submission(tenant_id, repo="ada/r"))
    (one,) = await claimed(database, await new_worker())
    async with database.session() as session:
        await finish.succeed(session, one.claim, {"content": "x"}, {}, {})
    for number in range(20):
        keys = [f"{number}-{n}" for n in range(40)]
        reusing = [submission(tenant_id, k, repo="ada/r", reuse=n < 20) for n, k in enumerate(keys)]
        plain = [submission(tenant_id, key, repo="ada/r") for key in keys]
        assert len(await inserted_at_once(database, [reusing, plain])) == len(keys)


async def inserted_at_once(database: Database, batches: list[list[Submission]]) -> set[uuid.UUID]:
    """The jobs that two apis' batches with the same keys have made."""
    barrier = asyncio.Barrier(len(batches))

    async def insert(batch: list[Submission]) -> list[Submitted | Exception]:
        async with database.session() as session:
            await session.execute(text("SELECT 1"))
            await barrier.wait()
            return list((await insert_batch(session, batch)).values())

    found = await asyncio.gather(*map(insert, batches))
    outcomes = [one for side in found for one in side]
    assert all(isinstance(one, Submitted | IdempotencyKeyReused) for one in outcomes)
    async with database.session() as session:
        keys = {s.idempotency_key for batch in batches for s in batch}
        made = select(Job.id).where(Job.idempotency_key.in_(keys))
        return set(await session.scalars(made))


async def test_a_deadlock_with_another_transaction_is_retried(
    database: Database, tenant_id: uuid.UUID
) -> None:
    patient = Database(database.engine.url.render_as_string(hide_password=False), ADMIN)
    submitter = Submitter(database)
    async with patient.session() as session:
        await insert_batch(session, [submission(tenant_id, "b")])
        asked = [asyncio.create_task(submitter.submit(submission(tenant_id, key))) for key in "ab"]
        while not await waits_for_a_lock(database):
            await asyncio.sleep(0.01)
        await insert_batch(session, [submission(tenant_id, "a")])
    assert [one.replayed for one in await asyncio.gather(*asked)] == [True, True]
    await patient.close()


async def waits_for_a_lock(database: Database) -> bool:
    query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with database.session() as session:
        return bool((await session.execute(query)).scalar_one())


async def test_a_key_locked_by_another_transaction_does_not_fail_the_rest_of_its_batch(
    database: Database, tenant_id: uuid.UUID
) -> None:
    submitter = Submitter(database)
    patient = Database(database.engine.url.render_as_string(hide_password=False), ADMIN)
    async with patient.session() as session:
        await insert_batch(session, [submission(tenant_id, "held")])
        asked = [submitter.submit(submission(tenant_id, key)) for key in ("a", "held", "b")]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in outcomes] == [Submitted, LockTimeout, Submitted]
    assert (await submitter.submit(submission(tenant_id, "held"))).replayed
    await patient.close()
