"""PostgreSQL half-open, or held by a process that was frozen inside a transaction."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator

from base.database import WORKER, Database
from jobs.workers import register
from tests.faults.conftest import ONE_RUN
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, day, until
from tests.stack.proxy import Proxy


def test_a_process_frozen_in_a_transaction_blocks_others_only_until_its_roles_timeout(
    stack: Stack, jobs: Jobs
) -> None:
    stack.steward()
    worker = stack.worker()
    os.kill(worker.popen.pid, signal.SIGSTOP)
    ids = [jobs.submit() for _ in range(5)]
    with holding_locks(stack) as holder:
        os.kill(worker.popen.pid, signal.SIGCONT)
        os.kill(holder.pid, signal.SIGSTOP)
        held = {"Idempotency-Key": "held"}
        until(lambda: jobs.client.post("/v1/til", json=day(), headers=held).status_code == 202)
        other = jobs.submit()
        until(lambda: all(jobs.get(i)["started_at"] for i in [*ids, other]))
        until(lambda: all(jobs.history(i) == ONE_RUN for i in [*ids, other]))


@contextlib.contextmanager
def holding_locks(stack: Stack) -> Iterator[subprocess.Popen[str]]:
    """A process that has claimed all jobs, and stored a key, in a transaction that it does not end."""
    worker_id = asyncio.run(a_worker(stack))
    arguments = [stack.database_url, worker_id, stack.keys["tenant_id"], "held"]
    command = [sys.executable, "-m", "tests.faults.holder", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        try:
            yield holder
        finally:
            holder.kill()


async def a_worker(stack: Stack) -> str:
    """A registered worker's id."""
    pool = Database(stack.database_url, WORKER)
    worker_id = uuid.uuid4()
    async with pool.session() as session:
        await register(session, worker_id, "here", 5, "default", "outline", 60)
    await pool.close()
    return str(worker_id)


def test_half_open_connections_are_replaced(stack: Stack, proxied_url: str, proxy: Proxy) -> None:
    stack.database_url = proxied_url
    stack.api()
    stack.steward()
    stack.worker(TIL_OUTLINE_SECONDS="6")
    with stack.client() as client:
        jobs = Jobs(client)
        running = jobs.submit()
        jobs.until_running(running)
        assert proxy.freeze() >= 3
        until(lambda: client.post("/v1/til", json=day()).status_code == 202, 60)
        until(lambda: client.get(f"/v1/jobs/{running}").status_code == 200, 60)
        after = jobs.submit()
        until(lambda: jobs.get(after)["started_at"], 60)
        for job_id in (running, after):
            assert jobs.get(job_id, wait=30)["status"] == "succeeded"
        assert jobs.history(running) == ONE_RUN
