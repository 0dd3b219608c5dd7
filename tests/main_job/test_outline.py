"""The main job through real processes: API, PostgreSQL, Valkey, Celery, engine, result, signed webhook."""

from __future__ import annotations

import signal
from typing import Any

import httpx
from redis import Redis

from deploy.local.valkey import ValkeyServer
from tests.faults.conftest import RARE_HEARTBEATS
from tests.stack.processes import Stack, day, until
from tests.stack.receiver import Receiver

ENDINGS = {"succeeded", "failed", "cancelled", "expired"}


def test_a_submitted_day_comes_back_by_polling_and_by_a_signed_webhook(
    stack: Stack, receiver: Receiver
) -> None:
    stack.api()
    stack.steward()
    worker = stack.worker()
    webhook = {"url": receiver.url, "events": ["started", "succeeded"]}
    with stack.client() as client:
        answer = client.post("/v1/til", json=day(webhook=webhook), headers={"Prefer": "wait=20"})
        assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait")
        job = answer.json()
        assert (job["status"], job["attempts"], job["error"]) == ("succeeded", 1, None)
        assert job["result"]["content"].startswith("# ada/engine: fix: the crank turns")
        assert "without a language model" in job["result"]["content"]
        assert len(job["result"]["sections"]) == 6
        assert job["provenance"]["engine"] == "outline"
        assert job["usage"]["calls"] == 1
        until(lambda: len(receiver.messages) == 2)
        assert receiver.refused == []
        told = {message["type"]: message["data"] for message in receiver.messages}
        assert told.keys() == {"til.started", "til.succeeded"}
        assert told["til.succeeded"]["result"] == job["result"]
        hook = until(lambda: _delivered(client.get(f"/v1/jobs/{job['id']}").json()["webhook"]))
        assert (hook["attempts"], hook["last_status"]) == (1, 204)
        until(lambda: _queue(client) == (1, 30, 0, 0))
    metrics = worker.metrics()
    assert 'til_jobs_finished_total{status="succeeded"} 1.0' in metrics
    assert "til_job_queue_seconds_count 1.0" in metrics
    assert "til_engine_running 0.0" in metrics


def _queue(client: httpx.Client) -> tuple[int, int, int, int]:
    """Workers, slots, queued and running: the steward's figures, which are up to a second old."""
    now = client.get("/v1/queue").json()
    return now["workers"], now["slots"], now["queued"], now["running"]


def _delivered(hook: dict[str, Any]) -> dict[str, Any]:
    return hook if hook["state"] == "delivered" else {}


def test_a_running_job_is_cancelled_at_once_and_keeps_what_was_written(
    stack: Stack, receiver: Receiver
) -> None:
    stack.api()
    stack.steward(**RARE_HEARTBEATS)
    stack.worker(TIL_OUTLINE_SECONDS="60", **RARE_HEARTBEATS)
    with stack.client() as client:
        job_id = client.post("/v1/til", json=day(webhook={"url": receiver.url})).json()["id"]
        path = f"/v1/jobs/{job_id}"
        until(lambda: (client.get(path).json()["progress"] or {}).get("stage") == "write", 30)
        answer = client.post(f"{path}/cancel")
        assert (answer.status_code, answer.json()["cancel_requested"]) == (202, True)
        job = client.get(path, params={"wait": 20}).json()
        assert job["status"] == "cancelled"
        until(lambda: [m["type"] for m in receiver.messages] == ["til.cancelled"])


def test_a_run_that_takes_too_long_is_tried_again_then_fails(stack: Stack) -> None:
    stack.api()
    stack.steward()
    stack.worker(TIL_OUTLINE_SECONDS="3")
    with stack.client() as client:
        job_id = client.post("/v1/til", json=day(run_seconds=1)).json()["id"]
        job = client.get(f"/v1/jobs/{job_id}", params={"wait": 40}).json()
        assert (job["status"], job["error"]["code"], job["attempts"]) == ("failed", "run_deadline", 3)
        assert job["partial_text"].startswith("# ")


def test_redis_away_is_still_202_and_the_job_runs_when_it_is_back(stack: Stack, valkey: ValkeyServer) -> None:
    stack.api()
    stack.steward()
    stack.worker()
    valkey.stop()
    try:
        with stack.client() as client:
            ids = [client.post("/v1/til", json=day()).json()["id"] for _ in range(5)]
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["redis"]) == (200, "unreachable")
    finally:
        valkey.start()
    with stack.client() as client:
        for job_id in ids:
            assert client.get(f"/v1/jobs/{job_id}", params={"wait": 20}).json()["status"] == "succeeded"


def test_a_flushed_run_queue_loses_no_job(stack: Stack) -> None:
    stack.api()
    with stack.client() as client:
        ids = [client.post("/v1/til", json=day()).json()["id"] for _ in range(100)]
        with Redis.from_url(stack.redis_url) as redis:
            until(lambda: redis.llen("til.default"))
            assert redis.llen("til.default") <= 64
            redis.flushall()
        stack.steward()
        stack.worker()
        ended = [client.get(f"/v1/jobs/{i}", params={"wait": 30}).json() for i in ids]
        assert {(job["status"], job["attempts"]) for job in ended} == {("succeeded", 1)}


def test_a_killed_workers_jobs_run_elsewhere(stack: Stack) -> None:
    short = {"TIL_LEASE_SECONDS": "2"}
    stack.api()
    steward = stack.steward(**short)
    first = stack.worker(TIL_OUTLINE_SECONDS="30", **short)
    with stack.client() as client:
        job_id = client.post("/v1/til", json=day()).json()["id"]
        until(lambda: client.get(f"/v1/jobs/{job_id}").json()["status"] == "running")
        first.stop(signal.SIGKILL)
        stack.worker(**short)
        job = client.get(f"/v1/jobs/{job_id}", params={"wait": 20}).json()
        assert (job["status"], job["attempts"]) == ("succeeded", 2)
    assert {"til_workers_lost_total 1.0", "til_lease_rescues_total 1.0"} <= set(
        steward.metrics().splitlines()
    )


def test_a_worker_that_is_asked_to_stop_releases_its_jobs_uncharged_and_exits_with_0(stack: Stack) -> None:
    stack.api()
    stack.steward()
    worker = stack.worker(TIL_OUTLINE_SECONDS="60", TIL_DRAIN_SECONDS="4")
    with stack.client() as client:
        ids = [client.post("/v1/til", json=day()).json()["id"] for _ in range(3)]
        until(lambda: {client.get(f"/v1/jobs/{i}").json()["status"] for i in ids} == {"running"})
        assert worker.stop() == 0, worker.log.read_text()
        jobs = [client.get(f"/v1/jobs/{i}").json() for i in ids]
        assert {(job["status"], job["attempts"]) for job in jobs} == {("queued", 0)}
        stack.worker()
        for job_id in ids:
            assert client.get(f"/v1/jobs/{job_id}", params={"wait": 20}).json()["status"] == "succeeded"
