"""PostgreSQL restarted, away, half-open, or held by a frozen process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from deploy.local.postgres import PostgresServer
from jobs.database import WORKER, Database
from jobs.server import migrate
from jobs.workers import register
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Stack, day, until
from tests.stack.proxy import Proxy

ONE_RUN = ["submit", "claim", "succeed"]


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    """A migrated server of this test's own, which it may stop."""
    server = PostgresServer(tmp_path / "pg" / "data", {"fsync": "off"}, tmp_path / "pg" / "log")
    server.start()
    asyncio.run(migrate(server.url))
    yield server
    server.stop()


@pytest.fixture
def own_stack(own_postgres: PostgresServer, redis_url: str, tmp_path: Path) -> Iterator[Stack]:
    """Processes on that server."""
    stack = Stack(own_postgres.url, redis_url, tmp_path)
    yield stack
    stack.stop()


def test_a_restart_under_load_is_503_with_retry_after_and_no_run_is_lost(
    own_stack: Stack, own_postgres: PostgresServer
) -> None:
    own_stack.api()
    own_stack.steward()
    own_stack.worker(TIL_OUTLINE_SECONDS="4")
    with own_stack.client() as client:
        jobs = Jobs(client)
        ids = [jobs.submit() for _ in range(10)]
        jobs.until_running(*ids)
        own_postgres.stop()
        answer = client.post("/v1/til", json=day())
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        own_postgres.start()
        until(lambda: client.get("/readyz").status_code == 200)
        ids.append(jobs.submit())
        for job_id in ids:
            assert jobs.get(job_id, wait=20)["status"] == "succeeded"
            assert jobs.history(job_id) == ONE_RUN


def test_an_outage_longer_than_the_lease_rescues_nobody_and_every_run_is_finished(
    own_stack: Stack, own_postgres: PostgresServer
) -> None:
    own_stack.api()
    stewards = [own_stack.steward(**SHORT) for _ in range(2)]
    own_stack.worker(TIL_OUTLINE_SECONDS="3", **SHORT)
    own_stack.worker(TIL_OUTLINE_SECONDS="20", TIL_ALIAS="default", **SHORT)
    with own_stack.client() as client:
        jobs = Jobs(client)
        ids = [jobs.submit() for _ in range(40)]
        jobs.until_running(*ids)
        own_postgres.stop()
        away_since = time.monotonic()
        until(lambda: time.monotonic() - away_since > 3 * float(SHORT["TIL_LEASE_SECONDS"]))
        own_postgres.start()
        for job_id in ids:
            assert jobs.get(job_id, wait=40)["status"] == "succeeded"
            assert jobs.history(job_id) == ONE_RUN
        assert not any("worker_lost" in steward.log.read_text() for steward in stewards)


def test_a_process_frozen_in_a_transaction_holds_others_for_its_roles_timeout_at_most(
    stack: Stack, jobs: Jobs
) -> None:
    ids = [jobs.submit() for _ in range(5)]
    worker_id = asyncio.run(a_worker(stack))
    arguments = [stack.database_url, worker_id, stack.keys["tenant_id"], "held"]
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.holder", *arguments], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "holding\n"
        os.kill(holder.pid, signal.SIGSTOP)
        began = time.monotonic()
        stack.steward()
        stack.worker()
        asked = jobs.client.post("/v1/til", json=day(), headers={"Idempotency-Key": "held"})
        assert asked.status_code in {202, 503}
        assert time.monotonic() - began < 8
        other = jobs.submit()
        assert jobs.get(other, wait=5)["status"] == "succeeded"
        for job_id in ids:
            assert jobs.get(job_id, wait=10)["status"] == "succeeded"
            assert jobs.history(job_id) == ONE_RUN
        asked = jobs.client.post("/v1/til", json=day(), headers={"Idempotency-Key": "held"})
        assert asked.status_code == 202
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


async def a_worker(stack: Stack) -> str:
    """A registered worker's id."""
    pool = Database(stack.database_url, WORKER)
    worker_id = uuid.uuid4()
    async with pool.session() as session:
        await register(session, worker_id, "here", 5, "default", "outline", 60)
    await pool.close()
    return str(worker_id)


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[Proxy]:
    """On the way to this run's server."""
    folder = str(make_url(postgres.url).query["host"])

    def connect() -> socket.socket:
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(f"{folder}/.s.PGSQL.5432")
        return upstream

    made = Proxy(connect)
    yield made
    made.close()


@pytest.fixture
def proxied(stack: Stack, proxy: Proxy) -> Stack:
    """A stack that reaches its database through the proxy."""
    name = make_url(stack.database_url).database
    stack.database_url = f"postgresql://til@127.0.0.1:{proxy.port}/{name}"
    return stack


def test_half_open_connections_are_replaced_within_15_seconds(proxied: Stack, proxy: Proxy) -> None:
    proxied.api()
    proxied.steward()
    proxied.worker(TIL_OUTLINE_SECONDS="6")
    with proxied.client() as client:
        jobs = Jobs(client)
        running = jobs.submit()
        jobs.until_running(running)
        assert proxy.freeze() >= 3
        began = time.monotonic()
        until(lambda: client.post("/v1/til", json=day()).status_code == 202, 15)
        until(lambda: client.get(f"/v1/jobs/{running}").status_code == 200, 15)
        after = jobs.submit()
        until(lambda: jobs.get(after)["status"] == "running", 15)
        assert time.monotonic() - began < 15
        for job_id in (running, after):
            assert jobs.get(job_id, wait=30)["status"] == "succeeded"
        assert jobs.history(running) == ONE_RUN


@pytest.mark.parametrize("committed", [True, False])
def test_a_connection_cut_at_commit_is_told_truly(proxied: Stack, proxy: Proxy, committed: bool) -> None:
    proxied.api()
    with proxied.client() as client:
        client.post("/v1/til", json=day())
        proxy.cut_at(b"COMMIT", forward=committed)
        answer = client.post("/v1/til", json=day(repo="ada/cut"), headers={"Idempotency-Key": "c"})
        assert proxy.cuts == 1
        assert answer.status_code == 202
        again = client.post("/v1/til", json=day(repo="ada/cut"), headers={"Idempotency-Key": "c"})
        assert again.headers["idempotent-replayed"] == "true"
        found = client.get("/v1/jobs", params={"repo": "ada/cut"}).json()["jobs"]
        assert [job["id"] for job in found] == [answer.json()["id"]] == [again.json()["id"]]
