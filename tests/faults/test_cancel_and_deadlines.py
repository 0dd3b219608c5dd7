"""Cancels and deadlines in a whole stack, also while Redis is away."""

from __future__ import annotations

from redis import Redis

from deploy.local.valkey import ValkeyServer
from signals.pubsub import CANCEL
from tests.faults.conftest import LONG, RARE_HEARTBEATS, ask
from tests.stack.jobs import Jobs
from tests.stack.processes import Process, Stack, until


def in_engine(worker: Process) -> float:
    """How many calls the engine is writing."""
    lines = worker.metrics().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("til_engine_running "))


def test_a_running_job_is_cancelled_long_before_a_heartbeat_and_aborted_in_the_engine(
    stack: Stack, jobs: Jobs
) -> None:
    stack.steward(**RARE_HEARTBEATS)
    worker = stack.worker(**LONG, **RARE_HEARTBEATS)
    job_id = jobs.submit()
    until(lambda: in_engine(worker) == 1)
    assert jobs.client.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    assert jobs.get(job_id, wait=20)["status"] == "cancelled"
    assert in_engine(worker) == 0
    assert jobs.history(job_id) == ["submit", "claim", "ask_cancel", "cancel"]


def test_a_message_in_redis_without_a_cancel_request_cancels_nothing(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    worker = stack.worker(TIL_OUTLINE_SECONDS="6")
    job_id, cancelled = jobs.submit(), jobs.submit()
    jobs.until_running(job_id, cancelled)
    with Redis.from_url(stack.redis_url) as redis:
        for _ in range(20):
            redis.publish(CANCEL, job_id)
    assert jobs.client.post(f"/v1/jobs/{cancelled}/cancel").status_code == 202
    assert jobs.get(cancelled, wait=20)["status"] == "cancelled"
    assert jobs.get(job_id, wait=20)["status"] == "succeeded"
    assert jobs.history(job_id) == ["submit", "claim", "succeed"]
    assert worker.popen.poll() is None


def test_without_redis_a_cancel_comes_with_a_heartbeat(
    stack: Stack, jobs: Jobs, valkey: ValkeyServer
) -> None:
    lease_seconds = 6
    stack.steward(TIL_LEASE_SECONDS=str(lease_seconds))
    worker = stack.worker(TIL_LEASE_SECONDS=str(lease_seconds), **LONG)
    job_id = jobs.submit()
    until(lambda: in_engine(worker) == 1)
    valkey.stop()
    try:
        assert jobs.client.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
        until(lambda: jobs.get(job_id)["status"] == "cancelled", 30)
        assert in_engine(worker) == 0
        assert jobs.history(job_id) == ["submit", "claim", "ask_cancel", "cancel"]
    finally:
        valkey.start()


def test_a_cancel_survives_the_death_of_its_worker(stack: Stack, jobs: Jobs) -> None:
    short = {"TIL_LEASE_SECONDS": "2"}
    stack.steward(**short)
    worker = stack.worker(**short, **LONG)
    job_id = jobs.submit()
    jobs.until_running(job_id)
    worker.popen.kill()
    assert jobs.client.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    assert jobs.get(job_id, wait=10)["status"] == "cancelled"
    assert jobs.history(job_id) == ["submit", "claim", "ask_cancel", "cancel"]


def test_a_job_that_nobody_starts_in_time_expires_and_one_that_was_started_does_not(
    stack: Stack, jobs: Jobs
) -> None:
    stack.steward()
    never = jobs.submit(queue_seconds=1)
    job = jobs.get(never, wait=10)
    assert (job["status"], job["error"]["code"], job["attempts"]) == ("expired", "queue_deadline", 0)
    worker = stack.worker(TIL_DRAIN_SECONDS="3", **LONG)
    started = jobs.submit(queue_seconds=3)
    jobs.until_running(started)
    assert worker.stop() == 0
    late = f"SELECT clock_timestamp() > queue_deadline + interval '1 s' FROM jobs WHERE id = '{started}'"
    until(lambda: ask(stack, late))
    assert jobs.history(started) == ["submit", "claim", "release"]
    stack.worker()
    assert jobs.get(started, wait=10)["status"] == "succeeded"
