"""Receipts, sending again, rotation with an overlap, disabled URLs: over real HTTP, with a real receiver."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest
from sqlalchemy import text

from jobs.database import ADMIN, Database
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, until
from tests.stack.receiver import Receiver

QUICK = {"TIL_WEBHOOK_SCHEDULE_SECONDS": "0.2,0.2,60"}


@pytest.fixture
def told(stack: Stack, jobs: Jobs, receiver: Receiver) -> str:
    """A job that has succeeded, on a stack with a quick schedule."""
    stack.steward(**QUICK)
    stack.worker()
    job_id = jobs.submit(webhook={"url": receiver.url})
    assert jobs.get(job_id, wait=10)["status"] == "succeeded"
    return job_id


def deliveries(jobs: Jobs, job_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = jobs.client.get(f"/v1/jobs/{job_id}/deliveries").json()["deliveries"]
    return found


def run(stack: Stack, statement: str, **values: object) -> None:
    """A statement on the stack's database: to make things older."""

    async def one() -> None:
        pool = Database(stack.database_url, ADMIN)
        async with pool.session() as session:
            await session.execute(text(statement), values)
        await pool.close()

    asyncio.run(one())


def test_every_attempt_is_shown_with_the_first_kib_of_its_answer(
    jobs: Jobs, receiver: Receiver, stack: Stack
) -> None:
    receiver.status, receiver.answer = 500, "no " * 1000
    stack.steward(**QUICK)
    stack.worker()
    job_id = jobs.submit(webhook={"url": receiver.url})
    until(lambda: len(deliveries(jobs, job_id)) == 1 and len(deliveries(jobs, job_id)[0]["attempts"]) == 3)
    (one,) = deliveries(jobs, job_id)
    assert (one["event"], one["state"]) == ("succeeded", "pending")
    assert one["webhook_id"] == f"msg_{one['id'].replace('-', '')}"
    assert [attempt["number"] for attempt in one["attempts"]] == [1, 2, 3]
    assert {(a["status"], a["error"], a["answer"]) for a in one["attempts"]} == {
        (500, None, ("no " * 1000)[:1024])
    }
    assert set(receiver.ids) == {one["webhook_id"]}
    hook = jobs.get(job_id)["webhook"]
    assert (hook["state"], hook["attempts"], hook["last_status"]) == ("pending", 3, 500)
    assert hook["next_attempt_at"]


def test_a_delivery_is_sent_again_under_its_id(told: str, jobs: Jobs, receiver: Receiver) -> None:
    until(lambda: len(receiver.ids) == 1)
    (one,) = until(lambda: [d for d in deliveries(jobs, told) if d["state"] == "delivered"])
    assert jobs.client.post(f"/v1/deliveries/{one['id']}/resend").status_code == 202
    until(lambda: receiver.ids == [one["webhook_id"]] * 2)
    until(lambda: deliveries(jobs, told)[0]["state"] == "delivered")
    assert len(deliveries(jobs, told)[0]["attempts"]) == 2


def test_many_deliveries_are_sent_again(told: str, jobs: Jobs, receiver: Receiver) -> None:
    until(lambda: deliveries(jobs, told)[0]["state"] == "delivered")
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    body = {"since": (now - hour).isoformat(), "until": (now + hour).isoformat()}
    assert jobs.client.post("/v1/deliveries/resend", json=body).json() == {"count": 0}
    answer = jobs.client.post("/v1/deliveries/resend", json=body | {"state": "delivered"})
    assert (answer.status_code, answer.json()) == (202, {"count": 1})
    until(lambda: len(receiver.ids) == 2)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"since": "2025-01-01T00:00:00Z"},
        {"since": "2025-01-02T00:00:00Z", "until": "2025-01-01T00:00:00Z"},
        {"since": "2025-01-01T00:00:00", "until": "2025-01-02T00:00:00"},
        {"since": "2025-01-01T00:00:00Z", "until": "2025-01-02T00:00:00Z", "state": "pending"},
    ],
)
def test_a_bad_bulk_resend_is_refused(jobs: Jobs, body: dict[str, str]) -> None:
    assert jobs.client.post("/v1/deliveries/resend", json=body).status_code == 422


def test_another_tenants_receipts_are_unknown(told: str, jobs: Jobs, stack: Stack) -> None:
    (one,) = until(lambda: [d for d in deliveries(jobs, told) if d["state"] == "delivered"])
    with stack.client(stack.another_tenant()["key"]) as other:
        assert other.get(f"/v1/jobs/{told}/deliveries").status_code == 404
        assert other.get(f"/v1/jobs/{told}/history").status_code == 404
        assert other.post(f"/v1/deliveries/{one['id']}/resend").status_code == 404


def test_during_a_rotation_both_secrets_sign(stack: Stack, jobs: Jobs, receiver: Receiver) -> None:
    stack.steward(**QUICK)
    stack.worker()
    rotated = jobs.client.post("/v1/webhook-secret/rotate", json={"overlap_seconds": 3600})
    assert (rotated.status_code, rotated.headers["cache-control"]) == (200, "no-store")
    secret = rotated.json()["secret"]
    about = jobs.client.get("/v1/webhook-secret").json()
    assert about == {k: v for k, v in rotated.json().items() if k != "secret"}
    assert about["previous_valid_until"]
    newer = Receiver(secret)
    for consumer in (receiver, newer):
        jobs.submit(webhook={"url": consumer.url})
        until(lambda consumer=consumer: len(consumer.messages) == 1)  # type: ignore[misc]
        assert consumer.refused == []
    run(stack, "UPDATE tenants SET previous_secret_until = clock_timestamp() - interval '1 s'")
    for consumer in (receiver, newer):
        jobs.submit(webhook={"url": consumer.url})
    until(lambda: len(newer.messages) == 2 and len(receiver.refused) == 1)
    newer.close()
    assert jobs.client.get("/v1/webhook-secret").json()["previous_valid_until"] is None


def test_a_url_that_fails_for_five_days_is_disabled_until_it_is_enabled_by_hand(
    stack: Stack, jobs: Jobs, receiver: Receiver
) -> None:
    receiver.status = 500
    stack.steward(**QUICK)
    stack.worker()
    first = jobs.submit(webhook={"url": receiver.url})
    (held,) = until(lambda: jobs.client.get("/v1/webhook-endpoints").json()["endpoints"])
    assert (held["url"], held["disabled_at"]) == (receiver.url, None)
    run(stack, "UPDATE webhook_endpoints SET failing_since = failing_since - interval '5 days 1 minute'")
    run(stack, "UPDATE deliveries SET next_attempt_at = clock_timestamp()")
    until(lambda: jobs.client.get("/v1/webhook-endpoints").json()["endpoints"][0]["disabled_at"])
    assert jobs.get(first)["webhook"]["last_error"] == "endpoint_disabled"
    posted = len(receiver.ids)
    second = jobs.submit(webhook={"url": receiver.url})
    hook = until(lambda: h if (h := jobs.get(second)["webhook"])["state"] != "none" else {})
    assert (hook["state"], hook["last_error"], hook["attempts"]) == ("failed", "endpoint_disabled", 0)
    receiver.status = 204
    assert jobs.client.post("/v1/webhook-endpoints/enable", json={"url": receiver.url}).status_code == 200
    assert jobs.client.post("/v1/webhook-endpoints/enable", json={"url": receiver.url}).status_code == 404
    third = jobs.submit(webhook={"url": receiver.url})
    until(lambda: jobs.get(third)["webhook"]["state"] == "delivered")
    assert len(receiver.ids) == posted + 1
    for one in deliveries(jobs, second):
        assert jobs.client.post(f"/v1/deliveries/{one['id']}/resend").status_code == 202
    until(lambda: jobs.get(second)["webhook"]["state"] == "delivered")


def test_progress_is_sent_while_the_job_runs_and_stored_nowhere(
    stack: Stack, jobs: Jobs, receiver: Receiver
) -> None:
    stack.steward()
    stack.worker(TIL_OUTLINE_SECONDS="4")
    job_id = jobs.submit(webhook={"url": receiver.url, "events": ["progress", "succeeded"]})
    assert jobs.get(job_id, wait=20)["status"] == "succeeded"
    until(lambda: "til.succeeded" in [message["type"] for message in receiver.messages])
    told = [message for message in receiver.messages if message["type"] == "til.progress"]
    assert 3 <= len(told) <= 9
    assert {message["data"]["progress"]["stage"] for message in told} == {"write"}
    assert len({*receiver.ids}) == len(receiver.ids)
    assert [one["event"] for one in deliveries(jobs, job_id)] == ["succeeded"]
    assert receiver.refused == []
