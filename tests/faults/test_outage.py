"""PostgreSQL restarted or away for longer than the lease, under load, with workers that die meanwhile."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from deploy.local.postgres import PostgresServer
from tests.faults.conftest import LONG, ONE_RUN, ask
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Stack, day, until

LEASE_SECONDS = float(SHORT["TIL_LEASE_SECONDS"])
BACKENDS = 4
LIVE_WORKERS = "SELECT count(*) FROM workers WHERE lease_expires_at > clock_timestamp()"
RESCUES = "SELECT count(*) FROM job_events WHERE verb = 'rescue'"
RESCUED_AFTER = """
SELECT extract(epoch FROM min(at) - (SELECT steady_since FROM figures))::float8
FROM job_events WHERE verb = 'rescue'
"""


@contextmanager
def away(postgres: PostgresServer, seconds: float = 0) -> Iterator[None]:
    """PostgreSQL is away for the block, and for `seconds` at least."""
    postgres.stop()
    began = time.monotonic()
    yield
    until(lambda: time.monotonic() - began > seconds)
    postgres.start()


class Backend(threading.Thread):
    """Submits one job after the other until it is `done`, each under its key until it is accepted."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.accepted: set[str] = set()
        self.refused: list[httpx.Response] = []
        self.done = threading.Event()
        self._stack = stack

    def run(self) -> None:
        """Submit."""
        with self._stack.client() as client:
            while not self.done.is_set():
                headers = {"Idempotency-Key": uuid.uuid4().hex}
                while (answer := client.post("/v1/til", json=day(), headers=headers)).status_code != 202:
                    self.refused.append(answer)
                self.accepted.add(answer.json()["id"])


def test_restarts_under_load_are_503_with_retry_after_and_no_run_is_lost(
    own_stack: Stack, own_postgres: PostgresServer
) -> None:
    own_stack.api()
    own_stack.steward()
    own_stack.worker(TIL_OUTLINE_SECONDS="1")
    backends = [Backend(own_stack) for _ in range(BACKENDS)]
    for backend in backends:
        backend.start()
    try:
        for number in (1, 2):
            until(lambda: sum(len(b.accepted) for b in backends) >= 30 * number)  # noqa: B023
            with away(own_postgres):
                before = [len(backend.refused) for backend in backends]
                until(lambda: all(len(b.refused) > n for b, n in zip(backends, before, strict=True)))  # noqa: B023
    finally:
        for backend in backends:
            backend.done.set()
            backend.join(20)
    for answer in [answer for backend in backends for answer in backend.refused]:
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert int(answer.headers["retry-after"]) > 0
    accepted = set().union(*(backend.accepted for backend in backends))
    with own_stack.client() as client:
        jobs = Jobs(client)
        for job_id in accepted:
            assert jobs.get(job_id, wait=40)["status"] == "succeeded"
            assert jobs.history(job_id) == ONE_RUN
    assert ask(own_stack, "SELECT count(*) FROM jobs") == len(accepted)


def test_an_outage_longer_than_the_lease_causes_no_rescue_and_every_run_finishes(
    own_stack: Stack, own_postgres: PostgresServer
) -> None:
    own_stack.api()
    stewards = [own_stack.steward(**SHORT) for _ in range(2)]
    own_stack.worker(TIL_OUTLINE_SECONDS="3", **SHORT)
    own_stack.worker(TIL_OUTLINE_SECONDS="20", **SHORT)
    with own_stack.client() as client:
        jobs = Jobs(client)
        ids = [jobs.submit() for _ in range(40)]
        jobs.until_running(*ids)
        with away(own_postgres, 3 * LEASE_SECONDS):
            pass
        for job_id in ids:
            assert jobs.get(job_id, wait=40)["status"] == "succeeded"
            assert jobs.history(job_id) == ONE_RUN
        assert not any("worker_lost" in steward.log.read_text() for steward in stewards)


def test_a_worker_that_died_in_the_outage_is_rescued_one_lease_after_it_and_no_other_is(
    own_stack: Stack, own_postgres: PostgresServer
) -> None:
    own_stack.api()
    own_stack.steward(**SHORT)
    with own_stack.client() as client:
        jobs = Jobs(client)
        doomed = own_stack.worker(TIL_SLOTS="5", **LONG, **SHORT)
        lost = [jobs.submit() for _ in range(5)]
        jobs.until_running(*lost)
        own_stack.worker(TIL_OUTLINE_SECONDS="20", **SHORT)
        kept = [jobs.submit() for _ in range(20)]
        jobs.until_running(*kept)
        with away(own_postgres, 3 * LEASE_SECONDS):
            doomed.stop(signal.SIGKILL)
        until(lambda: ask(own_stack, RESCUES) == len(lost))
        waited = ask(own_stack, RESCUED_AFTER)
        assert isinstance(waited, float)
        assert waited >= LEASE_SECONDS
        for job_id in lost:
            until(lambda: jobs.history(job_id) == ["submit", "claim", "rescue", "claim"])  # noqa: B023
        for job_id in kept:
            assert jobs.get(job_id, wait=40)["status"] == "succeeded"
            assert jobs.history(job_id) == ONE_RUN


def test_a_worker_frozen_during_a_heartbeat_does_not_renew_a_lease_that_has_ended(
    own_stack: Stack, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    freeze = tmp_path / "freeze"
    own_stack.api()
    walks = {"FAULT": "sleepwalker", "FREEZE": str(freeze), "TIL_OUTLINE_SECONDS": "4"}
    worker = own_stack.start_ready("tests.stack.faulty_worker", **walks, **SHORT)
    with own_stack.client() as client:
        jobs = Jobs(client)
        job_id = jobs.submit()
        jobs.until_running(job_id)
        with away(own_postgres):
            until(lambda: "heartbeat_failed" in worker.log.read_text())
            freeze.touch()
            until(lambda: psutil.Process(worker.popen.pid).status() == psutil.STATUS_STOPPED)
        began = time.monotonic()
        until(lambda: time.monotonic() - began > LEASE_SECONDS)  # Frozen for longer than the lease.
        assert ask(own_stack, LIVE_WORKERS) == 0
        os.kill(worker.popen.pid, signal.SIGCONT)
        until(lambda: "lease_lost" in worker.log.read_text())
        until(lambda: "claim_lost" in worker.log.read_text())
        assert jobs.history(job_id) == ["submit", "claim"]
        own_stack.steward(**SHORT)
        assert jobs.get(job_id, wait=30)["status"] == "succeeded"
        assert jobs.history(job_id) == ["submit", "claim", "rescue", "claim", "succeed"]
