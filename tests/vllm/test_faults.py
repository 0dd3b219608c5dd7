"""The real engine cancelled, too slow, silent, frozen and killed under the jobs of a whole stack."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import ask
from tests.stack.jobs import Jobs
from tests.stack.processes import Process, Stack, until
from tests.vllm.conftest import CPU

LEASE = {"TIL_LEASE_SECONDS": "9"}
MANY = 40
"""So many for eight slots that the engine is busy for a while."""
LONG = {"options": {"max_output_tokens": 6000, "temperature": 1.0}}


@pytest.fixture
def engine(tiny_model: Path) -> dict[str, str]:
    """The settings of a worker with the tiny model."""
    model = {"TIL_ENGINE": "vllm", "TIL_MODEL": str(tiny_model), "TIL_MAX_MODEL_LEN": "8192"}
    return {**CPU, **LEASE, **model, "TIL_ENFORCE_EAGER": "1", "TIL_SLOTS": "8"}


def core_of(worker: Process) -> psutil.Process:
    """The process in which vLLM computes."""
    children = psutil.Process(worker.popen.pid).children(recursive=True)
    (core,) = [child for child in children if "EngineCore" in " ".join([child.name(), *child.cmdline()])]
    return core


def in_engine(worker: Process) -> float:
    """How many calls vLLM itself says that it runs."""
    lines = worker.metrics().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:num_requests_running{"))


def test_cancelled_and_overdue_runs_are_aborted_in_the_engine(
    stack: Stack, jobs: Jobs, engine: dict[str, str]
) -> None:
    stack.steward(**LEASE)
    worker = stack.worker(**engine)
    for _ in range(3):
        cancel_a_running_one(jobs)
    until(lambda: in_engine(worker) == 0, 10)
    ids = [jobs.submit(**LONG) for _ in range(MANY)]
    until(lambda: running(jobs) >= 4, 60)
    asked = [i for i in ids if jobs.client.post(f"/v1/jobs/{i}/cancel").status_code in {200, 202}]
    assert [jobs.get(i, wait=10)["status"] for i in asked] == ["cancelled"] * len(asked)
    until(lambda: in_engine(worker) == 0, 10)
    assert len(asked) >= 4
    ids = [jobs.submit(run_seconds=1, **LONG) for _ in range(8)]
    for job in (jobs.get(i, wait=30) for i in ids):
        assert (job["status"], job["error"]["code"], job["attempts"]) == ("failed", "run_deadline", 3)
        assert job["partial_text"]
    until(lambda: in_engine(worker) == 0, 10)


def test_a_call_that_waits_in_a_live_engine_for_longer_than_the_lease_keeps_it(
    stack: Stack, jobs: Jobs, engine: dict[str, str]
) -> None:
    stack.steward(**LEASE)
    stack.start_ready("tests.stack.faulty_worker", FAULT="narrow", **engine)
    ids = [jobs.submit(**LONG) for _ in range(12)]
    ended = [jobs.get(i, wait=60) for i in ids]
    assert {(job["status"], job["attempts"]) for job in ended} == {("succeeded", 1)}
    assert max(job["usage"]["run_seconds"] for job in ended) > 1.5 * float(LEASE["TIL_LEASE_SECONDS"])


def test_a_frozen_core_loses_the_lease_and_a_killed_one_ends_the_process(
    stack: Stack, jobs: Jobs, engine: dict[str, str]
) -> None:
    stack.steward(**LEASE)
    worker = stack.worker(**engine)
    ids = [jobs.submit(**LONG) for _ in range(MANY)]
    until(lambda: running(jobs) >= 3, 60)
    os.kill(core_of(worker).pid, signal.SIGSTOP)
    elsewhere = stack.worker(**LEASE)
    lost = rescued(jobs, ids)
    assert lost >= 3
    until(lambda: "til_engine_ready 0.0" in worker.metrics())
    elsewhere.stop()
    os.kill(core_of(worker).pid, signal.SIGCONT)
    until(lambda: "til_engine_ready 1.0" in worker.metrics(), 60)
    until(lambda: in_engine(worker) == 0, 60)
    again = [jobs.submit(**LONG) for _ in range(MANY)]
    until(lambda: running(jobs) >= 3, 60)
    core_of(worker).kill()
    assert worker.popen.wait(60) == 70
    stack.worker(**LEASE)
    killed = rescued(jobs, again)
    assert killed >= 3
    charged = "SELECT ARRAY[max(losses), sum(losses), sum(failures)]::integer[] FROM jobs"
    assert ask(stack, charged) == [1, lost + killed, 0]


def cancel_a_running_one(jobs: Jobs) -> None:
    """Some jobs end by themselves before they can be cancelled; then the next one is."""
    while True:
        job_id = jobs.submit(**LONG)
        until(lambda i=job_id: jobs.get(i)["status"] != "queued")  # type: ignore[misc]
        if jobs.client.post(f"/v1/jobs/{job_id}/cancel").status_code == 202:
            assert jobs.get(job_id, wait=10)["status"] == "cancelled"
            return


def running(jobs: Jobs) -> int:
    """How many jobs run now; the metrics of a worker that is so busy come too late to be waited for."""
    return len(jobs.all(status="running"))


def rescued(jobs: Jobs, ids: list[str]) -> int:
    """How many of these jobs, all of which must succeed, were rescued, and that only once."""
    assert {jobs.get(i, wait=40)["status"] for i in ids} == {"succeeded"}
    histories = [jobs.history(i) for i in ids]
    ways = (["submit", "claim", "succeed"], ["submit", "claim", "rescue", "claim", "succeed"])
    assert all(history in ways for history in histories), histories
    return sum("rescue" in history for history in histories)
