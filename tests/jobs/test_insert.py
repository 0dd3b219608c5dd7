"""The insert of a batch: one statement whatever its rows contain, and keys that expire meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api.group_commit import Submitter
from base.database import ADMIN, Database
from base.errors import IdempotencyKeyReused
from base.tables import Job
from jobs import finish
from jobs.submission import Submission, Submitted
from jobs.submit import insert_batch
from tests.jobs.conftest import NewWorker, claimed, job
from tests.jobs.test_submit import waits_for_a_lock
from tests.scale.explain import recorded
from tests.stack.processes import day
from til.request import TilRequest

WEBHOOK = {"url": "https://example.com/x", "events": ["started", "succeeded"]}
REDACTION = {"file": "src/mill.py", "kind": "token", "count": 1}
SHAPES: list[dict[str, Any]] = [
    {},
    {"webhook": WEBHOOK},
    {"webhook": WEBHOOK | {"events": ["failed"]}, "priority": -5},
    {"metadata": {"team": "mills", "quote": 'a "b", {c}, NULL\\'}},
    {"username": "아다, {러브}", "repo": 'NULL "r" \\', "reuse": True},
    {"queue_seconds": 60, "run_seconds": 30, "language": "ko"},
]


def submission(tenant_id: uuid.UUID, number: int) -> Submission:
    """One submission with the given optional parts."""
    return Submission(
        tenant_id,
        TilRequest.model_validate(day(**SHAPES[number % len(SHAPES)])),
        "default" if number % 3 else "other",
        f"key, {number}" if number % 2 else None,
        template=hashlib.sha256(b"t").hexdigest() if number % 5 == 0 else None,
        replay_of=uuid.uuid4() if number % 7 == 0 else None,
        redactions=[REDACTION] if number % 4 == 0 else [],
        request_mac=bytes(range(number % 256)) if number % 2 else None,
        waits=number % 11 == 0,
    )


async def test_rows_of_every_mixture_are_one_statement_and_are_stored_as_they_are(
    database: Database, tenant_id: uuid.UUID
) -> None:
    batch = [submission(tenant_id, number) for number in range(100)]
    with recorded(database.engine) as sent:
        done = await store(database, batch)
    assert len([one for one in sent if "INSERT" in one.statement]) == 1
    assert set(done.values()) == {Submitted(one.id) for one in batch}
    for one in batch:
        stored = await job(database, one.id)
        expected = one.row | {"request": one.request.model_dump(mode="json")}
        assert {name: column(stored, name) for name in expected} == expected


def column(stored: Job, name: str) -> object:
    return getattr(stored, {"metadata": "job_metadata"}.get(name, name))


async def test_replays_are_found_in_one_statement(database: Database, tenant_id: uuid.UUID) -> None:
    first = [keyed(tenant_id, str(number)) for number in range(50)]
    await store(database, first)
    again = [keyed(tenant_id, str(number)) for number in range(60)]
    other = Submission(tenant_id, TilRequest.model_validate(day(language="ko")), "default", "7")
    with recorded(database.engine) as sent:
        done = await store(database, [*again, other, first[3]])
    assert len(sent) == 3
    assert [one.job_id for i in range(50) if isinstance(one := done[again[i].id], Submitted)] == [
        one.id for one in first
    ]
    assert all(done[one.id] == Submitted(one.id) for one in [*again[50:], first[3]])
    assert isinstance(done[other.id], IdempotencyKeyReused)


async def test_a_reused_result_is_the_same_json(
    database: Database, tenant_id: uuid.UUID, new_worker: NewWorker
) -> None:
    request = TilRequest.model_validate(day(reuse=True))
    await Submitter(database).submit(Submission(tenant_id, request, "default"))
    (one,) = await claimed(database, await new_worker())
    result, provenance = {"content": 'x "y" \\ 끝', "points": [1, 2.5, None]}, {"engine": "outline"}
    async with database.session() as session:
        await finish.succeed(session, one.claim, result, {}, provenance)
    again = await Submitter(database).submit(Submission(tenant_id, request, "default"))
    stored = await job(database, again.job_id)
    assert (stored.reused, stored.result, stored.provenance) == (True, result, provenance)
    assert stored.usage is not None
    assert stored.usage["calls"] == 0


async def test_a_row_that_breaks_a_constraint_fails_alone(database: Database, tenant_id: uuid.UUID) -> None:
    submitter = Submitter(database)
    batch = [submission(tenant_id, number) for number in range(5)]
    first = submitter.submit(submission(tenant_id, 50))
    too_urgent = batch[2].request.model_copy(update={"priority": 3601})
    object.__setattr__(batch[2], "request", too_urgent)
    asked = [first, *(submitter.submit(one) for one in batch)]
    outcomes = (await asyncio.gather(*asked, return_exceptions=True))[1:]
    assert [type(one) for one in outcomes] == [Submitted, Submitted, IntegrityError, Submitted, Submitted]
    assert (await job(database, batch[4].id)).status == "queued"


async def test_a_key_that_expires_between_the_insert_and_the_look_up_is_free(
    database: Database, tenant_id: uuid.UUID
) -> None:
    """While the batch waits for another's open insert of `b`, the key `a`, which was in its way, goes."""
    patient = Database(database.engine.url.render_as_string(hide_password=False), ADMIN)
    await Submitter(database).submit(keyed(tenant_id, "a"))
    async with patient.session() as session:
        await insert_batch(session, [keyed(tenant_id, "b")])
        batch = [keyed(tenant_id, key) for key in "abc"]
        storing = asyncio.create_task(store(database, batch))
        while not await waits_for_a_lock(database):
            await asyncio.sleep(0.01)
        async with database.session() as other:
            await other.execute(text("UPDATE jobs SET idempotency_key = NULL WHERE idempotency_key = 'a'"))
    done = await storing
    assert done[batch[0].id] == Submitted(batch[0].id)
    assert [getattr(done[one.id], "replayed", None) for one in batch] == [False, True, False]
    await patient.close()


def keyed(tenant_id: uuid.UUID, key: str) -> Submission:
    return Submission(tenant_id, TilRequest.model_validate(day()), "default", key)


async def store(database: Database, batch: list[Submission]) -> dict[uuid.UUID, Submitted | Exception]:
    async with database.session() as session:
        return await insert_batch(session, batch)
