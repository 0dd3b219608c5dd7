"""Large days, and requests that can't be read: each costs its own job time, never the worker its lease."""

from __future__ import annotations

import asyncio
import time

from tests.conftest import execute
from tests.faults.conftest import ask
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, day, until

ONE_PATCH = {"commit_message": "m", "patch": "@@ -1 +1 @@\n-a\n+b"}
LARGE = day(files=[{"filepath": f"f{number}.py", "patches": [ONE_PATCH] * 1000} for number in range(40)])
LEASES_LEFT = "SELECT min(extract(epoch FROM lease_expires_at - clock_timestamp())) FROM workers"
LARGE_JOBS = 5


def test_large_days_cost_no_lease_and_do_not_hold_up_a_small_one(stack: Stack, jobs: Jobs) -> None:
    with stack.client() as client:
        for _ in range(LARGE_JOBS):
            assert client.post("/v1/til", json=LARGE, timeout=60).status_code == 202
    small = jobs.submit()
    stack.steward()
    worker = stack.worker()
    began, least = time.monotonic(), 15.0
    while (
        ask(stack, "SELECT count(*) FROM jobs WHERE status <> 'succeeded'") and time.monotonic() < began + 120
    ):
        least = min(least, float(str(ask(stack, LEASES_LEFT))))
    ended = "SELECT count(*) FROM jobs WHERE finished_at >= (SELECT finished_at FROM jobs WHERE id = '%s')"
    assert ask(stack, ended % small) >= LARGE_JOBS  # type: ignore[operator]
    assert ask(stack, "SELECT sum(losses + failures) + max(claim_no) FROM jobs") == 1
    assert "lease_lost" not in worker.log.read_text()
    print(f"least left of a lease of 15 s: {least:.1f} s")
    assert least > 5


def test_a_request_that_can_not_be_read_fails_alone(stack: Stack, jobs: Jobs) -> None:
    bad, good = jobs.submit(), jobs.submit()
    asyncio.run(execute(stack.database_url, f"UPDATE jobs SET request = '{{}}' WHERE id = '{bad}'"))
    stack.worker()
    until(lambda: jobs.get(bad)["status"] == "failed", 20)
    assert jobs.get(bad)["error"]["message"] == "The job's stored request can't be read."
    assert jobs.get(good, wait=20)["status"] == "succeeded"
