"""Large days and unreadable requests: they cost their own job time, never the worker its lease."""

from __future__ import annotations

import asyncio
import json
import time

from tests.conftest import execute
from tests.faults.conftest import ask
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, day, until
from worker.slots.reader import decode

ONE_PATCH = {"commit_message": "m", "patch": "@@ -1 +1 @@\n-a\n+b"}
LARGE = day(files=[{"filepath": f"f{number}.py", "patches": [ONE_PATCH] * 1000} for number in range(40)])
LARGE_JOBS = 5


def test_large_days_neither_end_the_lease_nor_delay_a_small_one(stack: Stack, jobs: Jobs) -> None:
    with stack.client() as client:
        for _ in range(LARGE_JOBS):
            assert client.post("/v1/til", json=LARGE, timeout=60).status_code == 202
    small = jobs.submit()
    stack.steward()
    worker = stack.worker()
    until(lambda: not ask(stack, "SELECT count(*) FROM jobs WHERE status <> 'succeeded'"), 120)
    ended = "SELECT count(*) FROM jobs WHERE finished_at >= (SELECT finished_at FROM jobs WHERE id = '%s')"
    assert ask(stack, ended % small) >= LARGE_JOBS  # type: ignore[operator]
    assert ask(stack, "SELECT sum(losses + failures) + max(claim_no) FROM jobs") == 1
    assert "lease_lost" not in worker.log.read_text()


async def test_decoding_a_large_day_does_not_block_the_event_loop() -> None:
    shares = []
    for _ in range(5):
        decoding = asyncio.create_task(asyncio.to_thread(decode, json.dumps(LARGE)))
        longest, began = 0.0, time.monotonic()
        turn = began
        while not decoding.done():
            await asyncio.sleep(0)
            longest, turn = max(longest, time.monotonic() - turn), time.monotonic()
        assert len((await decoding).files) == len(LARGE["files"])
        shares.append(longest / (time.monotonic() - began))
    assert min(shares) < 0.5


def test_a_field_that_a_newer_version_stored_is_ignored(stack: Stack, jobs: Jobs) -> None:
    job = jobs.submit()
    newer = (
        "UPDATE jobs SET request = jsonb_set(request, '{files,0,patches,0,author}', '1') || '{\"tone\": 1}'"
    )
    asyncio.run(execute(stack.database_url, newer))
    stack.worker()
    assert jobs.get(job, wait=20)["status"] == "succeeded"
    with stack.client() as client:
        again = client.post(f"/v1/jobs/{job}/replay", json={})
    assert again.status_code == 202
    assert jobs.get(again.json()["id"], wait=20)["status"] == "succeeded"


def test_a_request_that_can_not_be_read_fails_alone(stack: Stack, jobs: Jobs) -> None:
    bad, good = jobs.submit(), jobs.submit()
    asyncio.run(execute(stack.database_url, f"UPDATE jobs SET request = '{{}}' WHERE id = '{bad}'"))
    stack.worker()
    until(lambda: jobs.get(bad)["status"] == "failed", 20)
    assert jobs.get(bad)["error"]["message"] == "The job's stored request can't be read."
    assert jobs.get(good, wait=20)["status"] == "succeeded"
