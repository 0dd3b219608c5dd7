"""Rotation of the signing secret: each one signs until the overlap ends that it was given."""

from __future__ import annotations

import datetime

from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, until
from tests.stack.receiver import Receiver
from tests.webhooks.told import QUICK, run

END_OVERLAPS = """
UPDATE tenants SET previous_secrets = (SELECT jsonb_agg(one || '{"until": "2025-01-01T00:00:00+00:00"}')
    FROM jsonb_array_elements(previous_secrets) AS one)
"""


def rotate(jobs: Jobs, overlap_seconds: int = 3600) -> str:
    answer = jobs.client.post("/v1/webhook-secret/rotate", json={"overlap_seconds": overlap_seconds})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    about = jobs.client.get("/v1/webhook-secret").json()
    assert about == {k: v for k, v in answer.json().items() if k != "secret"}
    secret: str = answer.json()["secret"]
    assert secret.endswith(about["ends_with"])
    return secret


def test_every_secret_signs_during_its_overlap_and_none_after(
    stack: Stack, jobs: Jobs, receiver: Receiver
) -> None:
    stack.steward(**QUICK)
    stack.worker()
    second, third = Receiver(rotate(jobs)), Receiver(rotate(jobs))
    consumers = [receiver, second, third]
    for consumer in consumers:
        jobs.submit(webhook={"url": consumer.url})
    until(lambda: all(len(consumer.messages) == 1 for consumer in consumers), 60)
    assert not any(consumer.refused for consumer in consumers)
    run(stack, END_OVERLAPS)
    for consumer in consumers:
        jobs.submit(webhook={"url": consumer.url})
    until(lambda: len(third.messages) == 2 and receiver.refused and second.refused)
    assert jobs.client.get("/v1/webhook-secret").json()["previous_valid_until"] is None
    for consumer in (second, third):
        consumer.close()


def test_a_rotation_without_an_overlap_ends_the_secret_at_once_and_no_other(
    stack: Stack, jobs: Jobs, receiver: Receiver
) -> None:
    stack.steward(**QUICK)
    stack.worker()
    leaked = Receiver(rotate(jobs))
    newest = Receiver(rotate(jobs, overlap_seconds=0))
    consumers = [receiver, leaked, newest]
    for consumer in consumers:
        jobs.submit(webhook={"url": consumer.url})
    until(lambda: receiver.messages and leaked.refused and newest.messages, 60)
    for consumer in (leaked, newest):
        consumer.close()


def test_the_overlap_is_a_day_by_default(jobs: Jobs) -> None:
    for body in (b"", b"{}"):
        headers = {"content-type": "application/json"}
        about = jobs.client.post("/v1/webhook-secret/rotate", content=body, headers=headers).json()
        until_then = datetime.datetime.fromisoformat(about["previous_valid_until"])
        ahead = until_then - datetime.datetime.now(datetime.UTC)
        assert abs(ahead.total_seconds() - 86_400) < 60


def test_only_the_last_five_secrets_sign_beside_the_present_one(
    stack: Stack, jobs: Jobs, receiver: Receiver
) -> None:
    stack.steward(**QUICK)
    stack.worker()
    secrets = [rotate(jobs) for _ in range(6)]
    consumers = [receiver, *map(Receiver, secrets)]
    for consumer in consumers:
        jobs.submit(webhook={"url": consumer.url})
    until(lambda: receiver.refused and all(consumer.messages for consumer in consumers[1:]), 60)
    for consumer in consumers[1:]:
        consumer.close()
