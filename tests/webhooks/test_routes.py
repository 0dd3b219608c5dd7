"""Deliveries and resends, over real HTTP, with a real receiver."""

from __future__ import annotations

import datetime

import pytest
from redis import Redis

from signals.pubsub import DELIVERIES
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, day, until
from tests.stack.receiver import Receiver
from tests.webhooks.told import QUICK, deliveries, run

HOUR = datetime.timedelta(hours=1)
COPIES = """
INSERT INTO deliveries (id, job_id, tenant_id, event, event_at, url, state, next_attempt_at, finished_at)
SELECT gen_random_uuid(), job_id, tenant_id, event, event_at, :url, 'delivered', NULL, event_at
FROM (SELECT * FROM deliveries LIMIT 1) AS d, generate_series(1, :count)
"""


def around_now() -> dict[str, str]:
    now = datetime.datetime.now(datetime.UTC)
    return {"since": (now - HOUR).isoformat(), "until": (now + HOUR).isoformat()}


@pytest.fixture
def told(stack: Stack, jobs: Jobs, receiver: Receiver) -> str:
    """A job that has succeeded and told so, on a stack with a quick schedule."""
    stack.steward(**QUICK)
    stack.worker()
    job_id = jobs.submit(webhook={"url": receiver.url})
    until(lambda: [d for d in deliveries(jobs, job_id) if d["state"] == "delivered"], 60)
    return job_id


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
    receiver.status, receiver.answer = 200, ""
    assert jobs.client.post(f"/v1/deliveries/{one['id']}/resend").status_code == 202
    until(lambda: deliveries(jobs, job_id)[0]["state"] == "delivered", seconds=20)
    assert receiver.ids == [one["webhook_id"]] * 4


def test_a_delivery_is_sent_again_under_its_id(told: str, jobs: Jobs, receiver: Receiver) -> None:
    (one,) = deliveries(jobs, told)
    assert jobs.client.post(f"/v1/deliveries/{one['id']}/resend").status_code == 202
    until(lambda: receiver.ids == [one["webhook_id"]] * 2)
    until(lambda: deliveries(jobs, told)[0]["state"] == "delivered")
    assert len(deliveries(jobs, told)[0]["attempts"]) == 2


def test_many_deliveries_are_sent_again_in_many_transactions(
    told: str, jobs: Jobs, receiver: Receiver, stack: Stack
) -> None:
    assert jobs.client.post("/v1/deliveries/resend", json=around_now()).json() == {"count": 0}
    run(stack, COPIES, url=receiver.url, count=2500)
    answer = jobs.client.post("/v1/deliveries/resend", json=around_now() | {"state": "delivered"})
    assert (answer.status_code, answer.json()) == (202, {"count": 2501})
    until(lambda: len(set(receiver.ids)) == 2501, 60)


BAD_SPANS = [
    {},
    {"since": "2025-01-01T00:00:00Z"},
    {"since": "2025-01-02T00:00:00Z", "until": "2025-01-01T00:00:00Z"},
    {"since": "2025-01-01T00:00:00", "until": "2025-01-02T00:00:00"},
    {"since": "2025-01-01T00:00:00Z", "until": "2025-01-02T00:00:00Z", "state": "pending"},
    {"since": "0001-01-01T00:00:00+23:59", "until": "2025-01-02T00:00:00Z"},
    {"since": "2025-01-01T00:00:00Z", "until": "9999-12-31T23:59:59-23:59"},
]


def test_impossible_spans_times_and_urls_are_refused(jobs: Jobs) -> None:
    for span in BAD_SPANS:
        assert jobs.client.post("/v1/deliveries/resend", json=span).status_code == 422, span
    for url in ("", "\x00", "https://example.com/\x00", "x" * 2049):
        assert jobs.client.post("/v1/webhook-endpoints/enable", json={"url": url}).status_code == 422, url
    for name in ("created_after", "created_before"):
        for bad in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "soon"):
            assert jobs.client.get("/v1/jobs", params={name: bad}).status_code == 422, bad
        for good in ("2025-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
            assert jobs.client.get("/v1/jobs", params={name: good}).status_code == 200, good


def test_a_reused_result_is_told_at_once(told: str, jobs: Jobs, receiver: Receiver, redis_url: str) -> None:
    with Redis.from_url(redis_url, decode_responses=True) as redis, redis.pubsub() as heard:
        heard.subscribe(DELIVERIES)
        until(lambda: heard.get_message(timeout=1))
        answer = jobs.client.post("/v1/til", json=day(webhook={"url": receiver.url}, reuse=True))
        assert (answer.status_code, answer.json()["reused"]) == (200, True)
        nudge = until(lambda: heard.get_message(timeout=1))
    assert nudge["data"] == answer.json()["id"]
    until(lambda: len(receiver.ids) == 2)


def test_another_tenants_webhooks_are_unknown(
    told: str, jobs: Jobs, receiver: Receiver, stack: Stack
) -> None:
    (one,) = deliveries(jobs, told)
    run(stack, "INSERT INTO webhook_endpoints (tenant_id, url) SELECT tenant_id, url FROM deliveries")
    assert len(jobs.client.get("/v1/webhook-endpoints").json()["endpoints"]) == 1
    secret = jobs.client.get("/v1/webhook-secret").json()
    with stack.client(stack.another_tenant()["key"]) as other:
        assert other.get(f"/v1/jobs/{told}/deliveries").status_code == 404
        assert other.get(f"/v1/jobs/{told}/history").status_code == 404
        assert other.post(f"/v1/deliveries/{one['id']}/resend").status_code == 404
        again = other.post("/v1/deliveries/resend", json=around_now() | {"state": "delivered"})
        assert again.json() == {"count": 0}
        assert other.get("/v1/webhook-endpoints").json() == {"endpoints": []}
        enabled = other.post("/v1/webhook-endpoints/enable", json={"url": receiver.url})
        assert enabled.status_code == 404
        assert other.get("/v1/webhook-secret").json()["ends_with"] != secret["ends_with"]
        assert other.post("/v1/webhook-secret/rotate").status_code == 200
    assert jobs.client.get("/v1/webhook-secret").json() == secret
    assert len(jobs.client.get("/v1/webhook-endpoints").json()["endpoints"]) == 1
    assert deliveries(jobs, told) == [one]
    assert len(receiver.ids) == 1
