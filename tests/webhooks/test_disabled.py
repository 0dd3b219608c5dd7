"""A URL that is disabled for its failures: seen in its jobs, sent nothing, enabled by hand."""

from __future__ import annotations

import datetime

from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, until
from tests.stack.receiver import Receiver
from tests.webhooks.told import QUICK, deliveries, run

ALMOST = (
    "UPDATE webhook_endpoints SET failing_since = failing_since - interval '5 days 1 minute', failures = 10"
)
NOW_DUE = "UPDATE deliveries SET next_attempt_at = clock_timestamp() WHERE state = 'pending'"
DISABLE = "INSERT INTO webhook_endpoints (tenant_id, url, disabled_at) SELECT id, :url, now() FROM tenants"


def test_a_url_that_fails_for_five_days_is_disabled_until_it_is_enabled_by_hand(
    stack: Stack, jobs: Jobs, receiver: Receiver
) -> None:
    receiver.status = 500
    stack.steward(**QUICK)
    stack.worker()
    first = jobs.submit(webhook={"url": receiver.url})
    until(lambda: jobs.get(first)["webhook"]["attempts"] == 3, 60)
    (held,) = jobs.client.get("/v1/webhook-endpoints").json()["endpoints"]
    assert (held["url"], held["disabled_at"]) == (receiver.url, None)
    run(stack, ALMOST)
    run(stack, NOW_DUE)
    until(lambda: jobs.client.get("/v1/webhook-endpoints").json()["endpoints"][0]["disabled_at"])
    posted = len(receiver.ids)
    second = jobs.submit(webhook={"url": receiver.url})
    assert jobs.get(second)["webhook"]["last_error"] == "endpoint_disabled"
    until(lambda: jobs.get(second)["webhook"]["state"] == "failed")
    hook = jobs.get(second)["webhook"]
    assert (hook["last_error"], hook["attempts"]) == ("endpoint_disabled", 0)
    receiver.status = 204
    assert jobs.client.post("/v1/webhook-endpoints/enable", json={"url": receiver.url}).status_code == 200
    assert jobs.client.post("/v1/webhook-endpoints/enable", json={"url": receiver.url}).status_code == 404
    third = jobs.submit(webhook={"url": receiver.url})
    until(lambda: jobs.get(third)["webhook"]["state"] == "delivered")
    assert len(receiver.ids) == posted + 1
    for one in deliveries(jobs, second):
        assert jobs.client.post(f"/v1/deliveries/{one['id']}/resend").status_code == 202
    until(lambda: jobs.get(second)["webhook"]["state"] == "delivered")


def test_a_disabled_url_is_shown_before_anything_falls_due_and_nothing_is_sent_there_again(
    stack: Stack, jobs: Jobs, receiver: Receiver
) -> None:
    stack.steward(**QUICK)
    stack.worker()
    told = jobs.submit(webhook={"url": receiver.url})
    until(lambda: jobs.get(told)["webhook"]["state"] == "delivered", 60)
    run(stack, DISABLE, url=receiver.url)
    job = jobs.get(told)["webhook"]
    assert (job["state"], job["last_error"]) == ("delivered", None)
    (one,) = deliveries(jobs, told)
    answer = jobs.client.post(f"/v1/deliveries/{one['id']}/resend")
    assert (answer.status_code, answer.json()["code"]) == (409, "endpoint_disabled")
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    span = {"since": (now - day).isoformat(), "until": (now + day).isoformat(), "state": "delivered"}
    assert jobs.client.post("/v1/deliveries/resend", json=span).json() == {"count": 0}
    run(stack, "UPDATE deliveries SET state = 'pending', next_attempt_at = 'tomorrow', finished_at = NULL")
    job = jobs.get(told)["webhook"]
    assert (job["state"], job["last_error"]) == ("pending", "endpoint_disabled")
    assert jobs.all()[0]["webhook"] == job
    run(stack, NOW_DUE)
    until(lambda: jobs.get(told)["webhook"]["state"] == "failed")
    assert len(receiver.ids) == 1
