"""Stewards that die between POST and record, and two of them at once."""

from __future__ import annotations

import os
import signal
from collections import Counter

from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, until
from tests.stack.receiver import Receiver

QUICK = {"TIL_WEBHOOK_TIMEOUT_SECONDS": "2"}


def test_a_steward_killed_between_post_and_record_is_followed_by_a_repeat_under_the_same_id(
    stack: Stack, jobs: Jobs, receiver: Receiver
) -> None:
    steward = stack.steward(**QUICK)
    receiver.before_answer = lambda: os.kill(steward.popen.pid, signal.SIGKILL)
    stack.worker()
    job_id = jobs.submit(webhook={"url": receiver.url})
    assert steward.popen.wait(20) == -signal.SIGKILL
    receiver.before_answer = lambda: None
    assert jobs.get(job_id)["webhook"]["state"] == "pending"
    stack.steward(**QUICK)
    until(lambda: jobs.get(job_id)["webhook"]["state"] == "delivered")
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    (one,) = jobs.client.get(f"/v1/jobs/{job_id}/deliveries").json()["deliveries"]
    assert [attempt["number"] for attempt in one["attempts"]] == [1]


def test_two_stewards_never_post_the_same_delivery(stack: Stack, jobs: Jobs, receiver: Receiver) -> None:
    for _ in range(2):
        stack.steward()
    stack.worker()
    ids = [jobs.submit(webhook={"url": receiver.url, "events": ["started", "succeeded"]}) for _ in range(100)]
    until(lambda: len(set(receiver.ids)) == 200, 60)
    until(lambda: all(jobs.get(i)["webhook"]["state"] == "delivered" for i in ids))
    assert set(Counter(receiver.ids).values()) == {1}
