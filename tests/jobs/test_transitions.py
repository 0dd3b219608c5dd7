"""The database itself refuses illegal transitions and inconsistent rows."""

from __future__ import annotations

import json
import uuid

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from base.database import Database, sqlstate
from base.errors import AlreadyFinished, NoSuchJob
from base.states import ARROWS, Status
from jobs import cancel, finish
from tests.jobs.conftest import NewWorker, Submit, claimed, job, verbs

ENDED = "finished_at = now(), worker_id = NULL"
ASKED = "cancel_requested_at = now()"
SETS = {
    Status.QUEUED: "status = 'queued', worker_id = NULL, finished_at = NULL, error = NULL, result = NULL",
    Status.RUNNING: "status = 'running', claimed_at = now(), started_at = now(), finished_at = NULL, "
    "worker_id = gen_random_uuid(), claim_no = claim_no + 1, error = NULL, result = NULL",
    Status.SUCCEEDED: f"status = 'succeeded', {ENDED}, result = '{{}}', error = NULL",
    Status.FAILED: f"status = 'failed', {ENDED}, error = '{{}}', result = NULL",
    Status.CANCELLED: f"status = 'cancelled', {ENDED}, error = NULL, result = NULL, {ASKED}",
    Status.EXPIRED: f"status = 'expired', {ENDED}, error = '{{}}', result = NULL",
}
PATHS: dict[Status, list[Status]] = {
    Status.QUEUED: [],
    Status.RUNNING: [Status.RUNNING],
    Status.SUCCEEDED: [Status.RUNNING, Status.SUCCEEDED],
    Status.FAILED: [Status.RUNNING, Status.FAILED],
    Status.CANCELLED: [Status.CANCELLED],
    Status.EXPIRED: [Status.EXPIRED],
}
LEGAL = {(source, target) for _, source, target in ARROWS}


@pytest.mark.parametrize("source", list(Status))
async def test_every_illegal_transition_is_refused_by_the_database(
    database: Database, submit: Submit, source: Status
) -> None:
    for target in Status:
        if source == target:
            continue
        job_id = await submit()
        for step in PATHS[source]:
            await put(database, job_id, step)
        if (source, target) in LEGAL:
            await put(database, job_id, target)
            assert (await job(database, job_id)).status == target
        else:
            with pytest.raises(DBAPIError) as refused:
                await put(database, job_id, target)
            assert sqlstate(refused.value) in {"TQ001", "TQ002"}
            assert (await job(database, job_id)).status == source


async def put(database: Database, job_id: uuid.UUID, status: Status) -> None:
    async with database.session() as session:
        await session.execute(text(f"UPDATE jobs SET {SETS[status]} WHERE id = :id"), {"id": job_id})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("claim_no = claim_no - 1", "TQ002"),
        ("claim_no = claim_no + 1", "TQ002"),
        ("worker_id = NULL", "23514"),
        ("finished_at = now()", "23514"),
        ("result = '{}'", "23514"),
        ("status = 'queued', worker_id = NULL, cancel_requested_at = now()", "23514"),
        ("status = 'succeeded', finished_at = now(), worker_id = NULL", "23514"),
        ("status = 'failed', finished_at = now(), worker_id = NULL", "23514"),
        ("status = 'lost'", "TQ001"),
        ("status = 'cancelled', finished_at = now(), worker_id = NULL", "TQ001"),
        ("not_before = now()", "23514"),
        ("request = NULL", "23514"),
        ("attempts = -1", "23514"),
    ],
)
async def test_columns_must_match_the_status(
    database: Database, submit: Submit, new_worker: NewWorker, change: str, code: str
) -> None:
    job_id = await submit()
    await claimed(database, await new_worker())
    with pytest.raises(DBAPIError) as refused:
        async with database.session() as session:
            await session.execute(text(f"UPDATE jobs SET {change} WHERE id = :id"), {"id": job_id})
    assert sqlstate(refused.value) == code


async def test_a_cancel_request_can_not_be_withdrawn(
    database: Database, submit: Submit, new_worker: NewWorker, tenant_id: uuid.UUID
) -> None:
    job_id = await submit()
    await claimed(database, await new_worker())
    async with database.session() as session:
        await cancel.cancel(session, tenant_id, job_id)
    with pytest.raises(DBAPIError) as refused:
        async with database.session() as session:
            await session.execute(text("UPDATE jobs SET cancel_requested_at = NULL"))
    assert sqlstate(refused.value) == "TQ001"


NOW = "2025-04-24T12:00:00Z"
RUNS = {"worker_id": str(uuid.uuid4()), "claimed_at": NOW, "started_at": NOW}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"status": "running", "claim_no": 1, **RUNS}, "TQ001"),
        ({"status": "succeeded", "result": {}, "finished_at": NOW}, "TQ001"),
        ({"status": "failed", "error": {}, "finished_at": NOW}, "TQ001"),
        ({"status": "cancelled", "cancel_requested_at": NOW, "finished_at": NOW}, "TQ001"),
        ({"status": "expired", "error": {}, "finished_at": NOW}, "TQ001"),
        ({"status": "lost"}, "TQ001"),
        ({"claim_no": 1}, "TQ002"),
        ({"status": "succeeded", "result": {}, "reused": True, "claim_no": 1}, "TQ002"),
        ({"status": "succeeded", "reused": True}, "23514"),
        ({"reused": True}, "23514"),
        ({"cancel_requested_at": NOW}, "23514"),
        ({"worker_id": str(uuid.uuid4())}, "23514"),
        ({"result": {}}, "23514"),
        ({"error": {}}, "23514"),
        ({"request": None}, "23514"),
        ({"attempts": 1}, "23514"),
        ({"run_seconds": 0}, "23514"),
        ({"webhook_url": "https://example.com/"}, "23514"),
    ],
)
async def test_a_job_begins_queued_and_unclaimed_or_with_a_reused_result(
    database: Database, submit: Submit, values: dict[str, object], code: str
) -> None:
    await submit()
    assert await refusal_of_a_copy(database, {}) is None
    assert await refusal_of_a_copy(database, values) == code


async def refusal_of_a_copy(database: Database, values: dict[str, object]) -> str | None:
    """The error of inserting the present row again with these values and another id."""
    copy = text("INSERT INTO jobs SELECT (jsonb_populate_record(j, CAST(:new AS jsonb))).* FROM jobs AS j")
    try:
        async with database.session() as session:
            await session.execute(copy, {"new": json.dumps({"id": str(uuid.uuid4()), **values})})
            await session.rollback()
    except DBAPIError as error:
        return sqlstate(error)
    return None


async def test_history_is_append_only(database: Database, submit: Submit) -> None:
    await submit()
    with pytest.raises(DBAPIError) as refused:
        async with database.session() as session:
            await session.execute(text("UPDATE job_events SET verb = 'x'"))
    assert sqlstate(refused.value) == "TQ003"


async def test_a_queued_job_is_cancelled_at_once_and_only_once(
    database: Database, submit: Submit, tenant_id: uuid.UUID
) -> None:
    job_id = await submit()
    async with database.session() as session:
        assert await cancel.cancel(session, tenant_id, job_id) == Status.CANCELLED
    with pytest.raises(AlreadyFinished):
        async with database.session() as session:
            await cancel.cancel(session, tenant_id, job_id)
    assert await verbs(database, job_id) == ["submit", "cancel"]


async def test_another_tenants_job_is_unknown(database: Database, submit: Submit) -> None:
    job_id = await submit()
    with pytest.raises(NoSuchJob):
        async with database.session() as session:
            await cancel.cancel(session, uuid.uuid4(), job_id)
    assert (await job(database, job_id)).status == Status.QUEUED


async def test_an_ending_and_its_deliveries_are_written_together(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    events = ["started", "succeeded"]
    job_id = await submit(webhook={"url": "https://example.com/", "events": events})
    (one,) = await claimed(database, await new_worker())
    for keep in (False, True):
        async with database.session() as session:
            await finish.succeed(session, one.claim, {"content": "x"}, {"calls": 1}, {})
            told = text("SELECT event FROM deliveries WHERE job_id = :id ORDER BY event_at")
            assert list((await session.execute(told, {"id": job_id})).scalars()) == events
            if not keep:
                await session.rollback()
    row = await job(database, job_id)
    assert row.usage is not None
    assert row.usage["run_seconds"] >= 0
