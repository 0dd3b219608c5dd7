"""The scaling signal of real processes: two apis and a steward export the same values, and no stale ones."""

from __future__ import annotations

import asyncio
import re

from tests.conftest import execute
from tests.stack.processes import Process, Stack, day, until

EXPORTED = ("til_workers_desired", "til_jobs", "til_oldest_queued_seconds", "til_slots", "til_workers")


def value(process: Process, series: str) -> float | None:
    """The value that the process exports; None: it has no such series."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", process.metrics(), re.MULTILINE)
    return float(found[1]) if found else None


def age_the_figures(stack: Stack) -> None:
    """Move the times of the stored figures back by a minute."""
    older = "at = at - interval '1 minute', scaled_at = scaled_at - interval '1 minute'"
    asyncio.run(execute(stack.database_url, f"UPDATE figures SET {older}"))


def test_two_apis_and_the_steward_export_the_same_values_and_no_stale_ones(stack: Stack) -> None:
    apis = [stack.api(), stack.api()]
    assert value(apis[0], "til_queue_figures_age_seconds") == float("inf")
    steward = stack.steward(TIL_SLOTS_PER_WORKER="2", TIL_WORKERS_MAX="7")
    everyone = [*apis, steward]
    desired = 'til_workers_desired{model="default"}'
    until(lambda: [value(one, desired) for one in everyone] == [0, 0, 0])
    with stack.client() as client:
        for _ in range(60):
            client.post("/v1/til", json=day())
        until(
            lambda: len({value(one, desired) for one in everyone}) == 1 and (value(steward, desired) or 0) > 1
        )
        queued = 'til_jobs{model="default",state="queued"}'
        until(lambda: [value(one, queued) for one in everyone] == [60, 60, 60])
        assert client.get("/v1/queue").json()["workers_desired"] == value(steward, desired)
    steward.stop()
    age_the_figures(stack)
    pattern = rf"^({'|'.join(EXPORTED)})[ {{]"
    until(lambda: not any(re.search(pattern, one.metrics(), re.MULTILINE) for one in apis))
    for one in apis:
        assert 55 < (value(one, "til_queue_figures_age_seconds") or 0) < 600


def code_of(worker: Process) -> int:
    """The exit code of a worker that ends by itself."""
    until(lambda: worker.popen.poll() is not None, 40)
    return worker.popen.returncode


def test_a_job_reports_that_its_workers_fail_to_start(stack: Stack) -> None:
    stack.api()
    stack.steward()
    with stack.client() as client:
        path = f"/v1/jobs/{client.post('/v1/til', json=day()).json()['id']}"
        for _ in range(2):
            assert client.get(path).json()["waiting_for"] == "cold_start"
            assert code_of(stack.start("worker", TIL_PROFILE="no-such-profile")) == 1
        until(lambda: client.get(path).json()["waiting_for"] == "worker_failing")
        stack.worker()
        assert client.get(path, params={"wait": 30}).json()["status"] == "succeeded"


def test_a_job_reports_that_its_workers_die_of_it(stack: Stack) -> None:
    stack.api()
    stack.steward(TIL_LEASE_SECONDS="2")
    with stack.client() as client:
        path = f"/v1/jobs/{client.post('/v1/til', json=day(repo='deadly')).json()['id']}"
        for _ in range(2):
            worker = stack.start("tests.stack.faulty_worker", FAULT="mortal", TIL_LEASE_SECONDS="2")
            assert code_of(worker) == 70
        until(lambda: client.get(path).json()["waiting_for"] == "worker_failing")
        assert client.get(path).json()["status"] == "queued"
