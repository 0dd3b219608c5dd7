"""`progress`: at most twice a second for each job, sent once, stored nowhere."""

from __future__ import annotations

import asyncio
import datetime
import itertools
import json
import uuid

from redis import Redis

from api.group_commit import Submitter
from base.database import Database
from jobs.claim import claim
from jobs.submission import Submission
from jobs.workers import register
from signals.streams import PROGRESS_WEBHOOKS
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, day, until
from tests.stack.receiver import Receiver
from tests.webhooks.told import deliveries
from til.request import TilRequest
from webhooks.throttle import EVERY_SECONDS, ProgressThrottle

ADA, BOB = uuid.UUID(int=1), uuid.UUID(int=2)


def test_of_several_updates_within_half_a_second_the_latest_is_kept() -> None:
    throttle = ProgressThrottle()
    assert throttle.next({ADA: {"done": 1}, BOB: {"done": 1}}, 10.0) == {ADA: {"done": 1}, BOB: {"done": 1}}
    assert throttle.next({ADA: {"done": 2}}, 10.2) == {}
    assert throttle.next({ADA: {"done": 3}}, 10.4) == {}
    assert throttle.next({}, 10.0 + EVERY_SECONDS) == {ADA: {"done": 3}}
    assert throttle.next({}, 11.5) == {}
    assert throttle.next({ADA: {"done": 4}}, 11.6) == {ADA: {"done": 4}}


async def running_job(database: Database, tenant_id: uuid.UUID, url: str) -> uuid.UUID:
    """A job that a worker holds and that wants its progress told."""
    request = TilRequest.model_validate(day(webhook={"url": url, "events": ["progress", "succeeded"]}))
    await Submitter(database).submit(Submission(tenant_id, request, "default"))
    async with database.session() as session:
        worker = uuid.uuid4()
        await register(session, worker, "here", 1, "default", "outline", 300)
        (one,) = await claim(session, worker, 1)
    return one.claim.job_id


async def test_progress_is_sent_at_most_twice_a_second(
    stack: Stack, receiver: Receiver, database: Database, tenant_id: uuid.UUID, redis_url: str
) -> None:
    job_id = await running_job(database, tenant_id, receiver.url)
    stack.steward()
    with Redis.from_url(redis_url) as redis:
        for number in range(120):
            progress = {"stage": "write", "done": 0, "total": 1, "completion_tokens": number}
            redis.rpush(PROGRESS_WEBHOOKS, json.dumps({"job_id": str(job_id), "progress": progress}))
            await asyncio.sleep(0.025)
    until(lambda: receiver.messages[-1]["data"]["progress"]["completion_tokens"] == 119)
    at = [datetime.datetime.fromisoformat(message["timestamp"]) for message in receiver.messages]
    apart = [(after - before).total_seconds() for before, after in itertools.pairwise(at)]
    print(apart)
    assert min(apart) > 0.4
    assert 3 <= len(at) <= 9


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
