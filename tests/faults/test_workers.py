"""Workers that are killed, frozen, drained, stubborn or poisoned, and what becomes of their jobs."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from functools import partial

from sqlalchemy import text

from jobs.database import ADMIN, Database
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Process, Stack, until

LONG = {"TIL_OUTLINE_SECONDS": "60"}


def ask(stack: Stack, statement: str) -> object:
    """One value from the stack's database."""

    async def one() -> object:
        pool = Database(stack.database_url, ADMIN)
        try:
            async with pool.session() as session:
                return (await session.execute(text(statement))).scalar_one()
        finally:
            await pool.close()

    return asyncio.run(one())


def test_a_killed_workers_job_runs_elsewhere_within_20_seconds_by_default(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    first = stack.worker(**LONG)
    job_id = jobs.submit()
    jobs.until_running(job_id)
    stack.worker(**LONG)
    first.stop(signal.SIGKILL)
    began = time.monotonic()
    until(lambda: jobs.get(job_id)["attempts"] == 2, 20)
    assert time.monotonic() - began < 20
    assert jobs.history(job_id) == ["submit", "claim", "rescue", "claim"]


def test_a_worker_frozen_past_its_lease_can_not_finish_what_was_taken_from_it(
    stack: Stack, jobs: Jobs
) -> None:
    stack.steward(**SHORT)
    frozen = stack.worker(TIL_OUTLINE_SECONDS="3", **SHORT)
    job_id = jobs.submit()
    jobs.until_running(job_id)
    os.kill(frozen.popen.pid, signal.SIGSTOP)
    stack.worker(**SHORT)
    assert jobs.get(job_id, wait=20)["status"] == "succeeded"
    os.kill(frozen.popen.pid, signal.SIGCONT)
    until(lambda: "lease_lost" in frozen.log.read_text())
    until(lambda: "claim_lost" in frozen.log.read_text())
    assert jobs.history(job_id) == ["submit", "claim", "rescue", "claim", "succeed"]
    assert frozen.stop() == 0


def test_a_worker_frozen_past_its_lease_can_not_finish_even_what_nobody_has_taken(
    stack: Stack, jobs: Jobs
) -> None:
    frozen = stack.worker(TIL_OUTLINE_SECONDS="3", **SHORT)
    job_id = jobs.submit()
    jobs.until_running(job_id)
    os.kill(frozen.popen.pid, signal.SIGSTOP)
    until(lambda: ask(stack, "SELECT count(*) FROM workers WHERE lease_expires_at > clock_timestamp()") == 0)
    os.kill(frozen.popen.pid, signal.SIGCONT)
    until(lambda: "claim_lost" in frozen.log.read_text())
    assert jobs.history(job_id) == ["submit", "claim"]
    stack.steward(**SHORT)
    job = jobs.get(job_id, wait=30)
    assert (job["status"], job["attempts"]) == ("succeeded", 2)


def test_a_run_that_is_silent_for_longer_than_the_lease_keeps_it(stack: Stack, jobs: Jobs) -> None:
    stack.steward(**SHORT)
    stack.start_ready("tests.stack.faulty_worker", FAULT="silent", **SHORT)
    job_id = jobs.submit()
    job = jobs.get(job_id, wait=30)
    assert (job["status"], job["attempts"]) == ("succeeded", 1)
    assert job["usage"]["run_seconds"] > 4 * float(SHORT["TIL_LEASE_SECONDS"]) - 1


def test_a_draining_worker_lets_short_jobs_end_and_releases_the_long_ones_uncharged(
    stack: Stack, jobs: Jobs
) -> None:
    stack.steward()
    worker = stack.start_ready("tests.stack.faulty_worker", FAULT="uneven", TIL_DRAIN_SECONDS="7")
    short, long = jobs.submit(), jobs.submit(repo="long")
    jobs.until_running(short, long)
    worker.popen.terminate()
    until(lambda: "draining" in worker.log.read_text())
    later = jobs.submit()
    assert worker.popen.wait(7) == 0
    assert [jobs.history(i) for i in (short, later)] == [["submit", "claim", "succeed"], ["submit"]]
    assert jobs.history(long) == ["submit", "claim", "release"]
    assert jobs.get(long)["attempts"] == 0


def test_another_worker_takes_what_a_draining_one_released_within_2_seconds(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    first = stack.worker(TIL_DRAIN_SECONDS="60", **LONG)
    ids = [jobs.submit() for _ in range(10)]
    jobs.until_running(*ids)
    stack.worker(**LONG)
    for _ in range(2):
        first.popen.terminate()
        until(lambda: "draining" in first.log.read_text())
    until(lambda: all("release" in jobs.history(i) for i in ids))
    until(lambda: {job["status"] for job in map(jobs.get, ids)} == {"running"}, 2)
    assert {tuple(jobs.history(i)) for i in ids} == {("submit", "claim", "release", "claim")}
    assert {jobs.get(i)["attempts"] for i in ids} == {1}


def test_a_second_sigterm_ends_the_worker_at_once_and_still_releases(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    worker = stack.worker(TIL_DRAIN_SECONDS="60", **LONG)
    ids = [jobs.submit() for _ in range(3)]
    jobs.until_running(*ids)
    worker.popen.terminate()
    until(lambda: "draining" in worker.log.read_text())
    worker.popen.terminate()
    assert worker.popen.wait(5) == 0
    assert {(job["status"], job["attempts"]) for job in map(jobs.get, ids)} == {("queued", 0)}


def test_a_run_that_refuses_to_end_is_ended_by_the_watchdog(stack: Stack, jobs: Jobs) -> None:
    stack.steward(**SHORT)
    stubborn = stack.start_ready(
        "tests.stack.faulty_worker", FAULT="stubborn", TIL_DRAIN_SECONDS="4", **SHORT
    )
    job_id = jobs.submit()
    jobs.until_running(job_id)
    stubborn.popen.terminate()
    assert stubborn.popen.wait(4 + 4) == -signal.SIGKILL
    assert "drain_overran" in stubborn.log.read_text()
    stack.worker(**SHORT)
    assert jobs.get(job_id, wait=20)["status"] == "succeeded"


def test_a_dead_engine_is_a_loss_and_its_jobs_do_not_wait_for_the_lease(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    mortal = stack.start_ready("tests.stack.faulty_worker", FAULT="mortal", **LONG)
    bystander = jobs.submit()
    jobs.until_running(bystander)
    until(lambda: ask(stack, "SELECT clock_timestamp() - steady_since > interval '15 s' FROM figures"), 30)
    deadly = jobs.submit(repo="deadly")
    assert mortal.popen.wait(10) == 70
    stack.worker()
    for job_id in (bystander, deadly):
        job = jobs.get(job_id, wait=10)
        assert (job["status"], job["attempts"]) == ("succeeded", 2)
        assert jobs.history(job_id) == ["submit", "claim", "rescue", "claim", "succeed"]
    losses = "SELECT min(losses) + max(losses) + 10 * max(failures) FROM jobs"
    assert ask(stack, losses) == 2


def ended_or_died(jobs: Jobs, job_id: str, worker: Process) -> bool:
    return worker.popen.poll() is not None or bool(jobs.get(job_id)["finished_at"])


def test_a_poison_job_ends_alone_and_the_innocent_all_succeed(stack: Stack, jobs: Jobs) -> None:
    stack.steward(**SHORT)
    ids = [jobs.submit() for _ in range(15)]
    poison = jobs.submit(repo="poison")
    ids += [jobs.submit() for _ in range(15)]
    killed = 0
    for _ in range(5):
        worker = stack.start_ready(
            "tests.stack.faulty_worker", FAULT="poisoned", TIL_OUTLINE_SECONDS="0.5", **SHORT
        )
        until(partial(ended_or_died, jobs, poison, worker), 60)
        if worker.popen.poll() is None:
            break
        killed += 1
    assert killed == 3
    job = jobs.get(poison)
    assert (job["status"], job["error"]["code"]) == ("failed", "worker_lost")
    for job_id in ids:
        assert jobs.get(job_id, wait=40)["status"] == "succeeded"
