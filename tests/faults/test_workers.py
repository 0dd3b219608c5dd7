"""Workers that are killed, frozen, stubborn or poisoned, and what becomes of their jobs."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from steward.settings import StewardSettings
from tests.faults.conftest import LONG, ask
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Process, Stack, until
from worker.settings import WorkerSettings

LIVE_WORKERS = "SELECT count(*) FROM workers WHERE lease_expires_at > clock_timestamp()"
RESCUED = ["submit", "claim", "rescue", "claim", "succeed"]


def test_by_default_a_lease_and_two_ticks_of_the_steward_take_less_than_20_seconds() -> None:
    steward = StewardSettings.model_construct()
    assert steward.lease_seconds == WorkerSettings.model_construct().lease_seconds
    assert steward.lease_seconds + 2 * steward.tick_seconds < 20


def test_a_killed_workers_job_runs_elsewhere_by_default(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    first = stack.worker(**LONG)
    job_id = jobs.submit()
    jobs.until_running(job_id)
    stack.worker(**LONG)
    first.stop(signal.SIGKILL)
    until(lambda: jobs.get(job_id)["attempts"] == 2, 60)
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
    assert jobs.history(job_id) == RESCUED
    assert frozen.stop() == 0


def test_a_worker_frozen_past_its_lease_can_not_finish_even_what_nobody_has_taken(
    stack: Stack, jobs: Jobs
) -> None:
    frozen = stack.worker(TIL_OUTLINE_SECONDS="3", **SHORT)
    job_id = jobs.submit()
    jobs.until_running(job_id)
    os.kill(frozen.popen.pid, signal.SIGSTOP)
    until(lambda: ask(stack, LIVE_WORKERS) == 0)
    os.kill(frozen.popen.pid, signal.SIGCONT)
    until(lambda: "claim_lost" in frozen.log.read_text())
    assert jobs.history(job_id) == ["submit", "claim"]
    stack.steward(**SHORT)
    job = jobs.get(job_id, wait=30)
    assert (job["status"], job["attempts"]) == ("succeeded", 2)


def test_a_thawed_worker_with_many_runs_registers_once_and_loses_no_new_claim(
    stack: Stack, jobs: Jobs
) -> None:
    stack.steward(**SHORT)
    frozen = stack.worker(TIL_OUTLINE_SECONDS="3", **SHORT)
    ids = [jobs.submit() for _ in range(20)]
    jobs.until_running(*ids)
    os.kill(frozen.popen.pid, signal.SIGSTOP)
    until(lambda: {jobs.get(i)["status"] for i in ids} == {"queued"})
    os.kill(frozen.popen.pid, signal.SIGCONT)
    for job_id in ids:
        assert jobs.get(job_id, wait=40)["status"] == "succeeded"
        assert jobs.history(job_id) == RESCUED
    log = frozen.log.read_text()
    assert (log.count('"worker_registered"'), log.count('"lease_lost"')) == (2, 1)


def test_a_run_that_is_silent_for_longer_than_the_lease_keeps_it(stack: Stack, jobs: Jobs) -> None:
    stack.steward(**SHORT)
    stack.start_ready("tests.stack.faulty_worker", FAULT="silent", **SHORT)
    job_id = jobs.submit()
    job = jobs.get(job_id, wait=30)
    assert (job["status"], job["attempts"]) == ("succeeded", 1)
    assert job["usage"]["run_seconds"] > 4 * float(SHORT["TIL_LEASE_SECONDS"]) - 1


@pytest.mark.parametrize("how", ["overdue", "cancelled"])
def test_a_run_that_refuses_to_end_ends_its_process(stack: Stack, jobs: Jobs, how: str) -> None:
    stack.steward(**SHORT)
    stubborn = stack.start_ready("tests.stack.faulty_worker", FAULT="stubborn", **SHORT)
    job_id = jobs.submit(**({"run_seconds": 1} if how == "overdue" else {}))
    jobs.until_running(job_id)
    if how == "cancelled":
        assert jobs.client.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    assert stubborn.popen.wait(60) == 70
    assert "run_overstayed" in stubborn.log.read_text()
    if how == "cancelled":
        assert jobs.get(job_id, wait=20)["status"] == "cancelled"
    else:
        stack.worker(**SHORT)
        assert jobs.get(job_id, wait=20)["status"] == "succeeded"
        assert jobs.history(job_id) == RESCUED


def test_a_heartbeat_that_crashes_is_counted_and_no_job_is_lost(
    stack: Stack, jobs: Jobs, tmp_path: Path
) -> None:
    stack.steward(**SHORT)
    stumble = tmp_path / "stumble"
    more = {"TIL_OUTLINE_SECONDS": "4", "FAULT": "stumbling", "STUMBLE": str(stumble)}
    worker = stack.start_ready("tests.stack.faulty_worker", **more, **SHORT)
    job_id = jobs.submit()
    jobs.until_running(job_id)
    stumble.touch()
    until(lambda: 'til_loop_errors_total{loop="heartbeat"} 1.0' in worker.metrics())
    assert jobs.get(job_id, wait=20)["status"] == "succeeded"
    assert jobs.history(job_id) == ["submit", "claim", "succeed"]
    assert worker.popen.poll() is None


def test_the_jobs_of_a_dead_engine_run_elsewhere_before_the_lease_ends(stack: Stack, jobs: Jobs) -> None:
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
        assert jobs.history(job_id) == RESCUED
    losses = "SELECT min(losses) + max(losses) + 10 * max(failures) FROM jobs"
    assert ask(stack, losses) == 2


def ended_or_died(jobs: Jobs, job_id: str, worker: Process) -> bool:
    return worker.popen.poll() is not None or bool(jobs.get(job_id)["finished_at"])


def test_a_job_that_kills_workers_fails_and_all_others_succeed(stack: Stack, jobs: Jobs) -> None:
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
