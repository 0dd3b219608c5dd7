"""Health of running workers and stewards, on their metrics port."""

from __future__ import annotations

import signal

import httpx

from tests.stack.processes import Process, Stack, day, until


def faults(process: Process, path: str) -> list[str] | None:
    """The reported faults, after a check of the status code; None while the port does not answer."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{process.metrics_port}{path}", timeout=5)
    except httpx.TransportError:
        return None
    found = list(answer.json().get("faults", []))
    assert answer.status_code == (503 if found else 200)
    return found


def test_a_worker_is_ready_once_it_consumes_and_not_while_it_drains(stack: Stack) -> None:
    stack.api()
    stack.steward()
    worker = stack.start("worker", TIL_OUTLINE_SECONDS="60", TIL_DRAIN_SECONDS="20")
    until(lambda: faults(worker, "/healthz") == [])
    until(lambda: faults(worker, "/readyz") == [])
    with stack.client() as client:
        job_id = client.post("/v1/til", json=day()).json()["id"]
        until(lambda: client.get(f"/v1/jobs/{job_id}").json()["status"] == "running")
        worker.ask_to_stop()
        until(lambda: faults(worker, "/readyz") == ["draining"])
        assert faults(worker, "/healthz") == []
        assert worker.stop(signal.SIGTERM) == 0


def test_a_worker_without_redis_is_alive_and_not_ready(stack: Stack) -> None:
    worker = stack.start("worker", REDIS_URL="redis://127.0.0.1:1/0")
    until(lambda: faults(worker, "/readyz") == ["consumer"])
    assert faults(worker, "/healthz") == []


def test_a_steward_is_ready_once_it_has_written_figures(stack: Stack) -> None:
    steward = stack.start("steward")
    until(lambda: faults(steward, "/healthz") == [])
    until(lambda: faults(steward, "/readyz") == [])
    assert "til_queue_figures_age_seconds" in steward.metrics()


def test_a_steward_without_a_database_is_alive_and_not_ready(stack: Stack) -> None:
    steward = stack.start("steward", DATABASE_URL="postgresql://til@127.0.0.1:1/til")
    until(lambda: faults(steward, "/healthz") == [])
    until(lambda: faults(steward, "/readyz") == ["figures"])
