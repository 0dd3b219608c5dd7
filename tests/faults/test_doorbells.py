"""Redis flushed, stopped, frozen, or full of malformed messages: no job depends on it."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy.engine import make_url

from deploy.local.valkey import ValkeyServer
from signals.broker import TASK, WORKER_SOCKET, make_broker
from signals.pubsub import CANCEL, DELIVERIES, ENDED, SWEEP
from signals.streams import PROGRESS_WEBHOOKS
from tests.faults.conftest import LONG, RARE_HEARTBEATS
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, day, until
from tests.stack.proxy import Proxy

WAITING = 1000


def submit_many(jobs: Jobs, count: int) -> list[str]:
    return [jobs.client.post("/v1/til", json=day()).json()["id"] for _ in range(count)]


def ended_once(jobs: Jobs, ids: list[str]) -> bool:
    """Whether each has succeeded in its first run; by the list, not one by one."""
    queue = jobs.client.get("/v1/queue").json()
    if queue["queued"] or queue["running"]:
        return False
    return all(jobs.history(i) == ["submit", "claim", "succeed"] for i in ids)


def test_a_flush_with_a_thousand_jobs_waiting_loses_none_and_doubles_none(stack: Stack, jobs: Jobs) -> None:
    ids = submit_many(jobs, WAITING)
    with Redis.from_url(stack.redis_url) as redis:
        redis.flushall()
        stack.steward()
        stack.worker()
        until(lambda: jobs.get(ids[100])["finished_at"], 30)
        redis.flushall()
    until(lambda: ended_once(jobs, ids), 60)


def test_redis_stopped_during_submits_is_202_and_the_jobs_run_after_its_return(
    stack: Stack, jobs: Jobs, valkey: ValkeyServer
) -> None:
    stack.steward()
    worker = stack.worker()
    valkey.stop()
    try:
        ids = submit_many(jobs, 20)
        # By the eighth time, Celery's own pauses would be longer.
        until(lambda: worker.log.read_text().count("Cannot connect to redis") >= 8, 30)
    finally:
        valkey.start()
    until(lambda: ended_once(jobs, ids))
    # A pause of less than a second is logged as "now", a longer one as "in 2.00 seconds".
    log = worker.log.read_text()
    assert (log.count("Trying again now") >= 8, log.count("Trying again in")) == (True, 0)


def test_submits_do_not_wait_for_a_redis_that_is_frozen(
    stack: Stack, jobs: Jobs, valkey: ValkeyServer
) -> None:
    """One that waited would take two seconds, for the socket's timeout."""
    jobs.submit()
    valkey.child.send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        submit_many(jobs, 20)
        assert time.monotonic() - began < 20
    finally:
        valkey.child.send(signal.SIGCONT)


def test_duplicate_and_bogus_doorbells_are_ignored_and_counted(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    worker = stack.worker()
    app = make_broker(stack.redis_url, WORKER_SOCKET)
    job_id = jobs.submit()
    with app.connection_for_write() as connection:
        sent = {"queue": "til.default", "connection": connection}
        for _ in range(5):
            app.send_task(TASK, args=[job_id], **sent)
        app.send_task("no.such.task", args=[], **sent)
        app.send_task(TASK, args=[1, 2, 3], kwargs={"x": "y"}, **sent)
    with Redis.from_url(stack.redis_url) as redis:
        for garbage in ("garbage", "[]", "{}", json.dumps({"properties": {}}), "null", b"\xff\xfe", "7"):
            redis.lpush("til.default", garbage)
        until(lambda: redis.llen("til.default") == 0)
    assert jobs.get(job_id, wait=10)["status"] == "succeeded"
    after = jobs.submit()
    assert jobs.get(after, wait=10)["status"] == "succeeded"
    assert [jobs.history(i) for i in (job_id, after)] == [["submit", "claim", "succeed"]] * 2
    assert worker.popen.poll() is None
    until(lambda: ignored(worker.metrics(), "malformed") == 7)
    until(lambda: ignored(worker.metrics(), "unknown") >= 1)
    until(lambda: ignored(worker.metrics(), "no_job") >= 5)


def test_a_worker_whose_consumer_ends_finishes_its_jobs_and_exits_with_70(
    stack: Stack, jobs: Jobs, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    worker = stack.start_ready("tests.stack.ends_its_consumer", TIL_OUTLINE_SECONDS="3", END=str(end))
    job_id = jobs.submit()
    jobs.until_running(job_id)
    end.touch()
    assert worker.popen.wait(15) == 70
    assert jobs.history(job_id) == ["submit", "claim", "succeed"]


def test_a_worker_waits_while_its_queue_is_no_redis_list(stack: Stack, jobs: Jobs) -> None:
    worker = stack.worker()
    with Redis.from_url(stack.redis_url) as redis:
        redis.set("til.default", "no list at all")
        until(lambda: "Trying to re-establish" in worker.log.read_text())
        redis.delete("til.default")
    until(lambda: jobs.get(jobs.submit(), wait=2)["status"] == "succeeded")
    assert worker.popen.poll() is None


def test_garbage_on_every_channel_ends_no_listener(stack: Stack, jobs: Jobs) -> None:
    steward = stack.steward(**RARE_HEARTBEATS)
    worker = stack.worker(**LONG, **RARE_HEARTBEATS)
    cancelled = jobs.submit()
    jobs.until_running(cancelled)
    with Redis.from_url(stack.redis_url) as redis:
        for garbage in (b"\xff\xfe", b"", b"garbage", b"[]", b'{"job_id": 7, "progress": 7}', b"\x00"):
            for channel in (CANCEL, DELIVERIES, ENDED, SWEEP):
                redis.publish(channel, garbage)
            redis.rpush(PROGRESS_WEBHOOKS, garbage)
        until(lambda: redis.llen(PROGRESS_WEBHOOKS) == 0)
    assert jobs.client.post(f"/v1/jobs/{cancelled}/cancel").status_code == 202
    assert jobs.get(cancelled, wait=20)["status"] == "cancelled"
    assert [process.popen.poll() for process in (steward, worker)] == [None, None]


def ignored(metrics: str, why: str) -> float:
    prefix = f'til_doorbells_ignored_total{{why="{why}"}} '
    return sum(float(line.removeprefix(prefix)) for line in metrics.splitlines() if line.startswith(prefix))


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_a_worker_drains_and_exits_with_0_while_redis_is_away(
    stack: Stack, jobs: Jobs, valkey: ValkeyServer, how: str
) -> None:
    worker = stack.worker(TIL_DRAIN_SECONDS="4", **LONG)
    job_id = jobs.submit()
    jobs.until_running(job_id)
    if how == "stopped":
        valkey.stop()
    else:
        valkey.child.send(signal.SIGSTOP)
    try:
        worker.popen.terminate()
        assert worker.popen.wait(40) == 0  # An overrun drain is ended by a signal.
        assert jobs.history(job_id) == ["submit", "claim", "release"]
    finally:
        if how == "stopped":
            valkey.start()
        else:
            valkey.child.send(signal.SIGCONT)


@pytest.fixture
def redis_proxy(valkey: ValkeyServer) -> Iterator[Proxy]:
    """On the way to this run's Valkey."""
    made = Proxy(lambda: socket.create_connection(("127.0.0.1", valkey.port)))
    yield made
    made.close()


def test_half_open_connections_to_redis_are_replaced(
    stack: Stack, redis_proxy: Proxy, valkey: ValkeyServer
) -> None:
    stack.redis_url = make_url(valkey.url).set(port=redis_proxy.port).render_as_string(hide_password=False)
    stack.api()
    stack.steward()
    stack.worker()
    with stack.client() as client:
        jobs = Jobs(client)
        assert jobs.get(jobs.submit(), wait=10)["status"] == "succeeded"
        assert redis_proxy.freeze() >= 5
        assert jobs.get(jobs.submit(), wait=60)["status"] == "succeeded"
        until(lambda: ends_are_heard(jobs), 60)


def ends_are_heard(jobs: Jobs) -> bool:
    """Whether Redis wakes a waiting reader: sooner than the api's own query, every two seconds."""
    began = time.monotonic()
    job = jobs.get(jobs.submit(), wait=10)
    return job["status"] == "succeeded" and time.monotonic() - began < 1
