"""Workers that drain: short jobs end, the others go back to the queue in time.

A drain that takes two seconds longer than TIL_DRAIN_SECONDS ends by SIGKILL: exit code 0 says it was in time.
"""

from __future__ import annotations

import signal

import pytest

from tests.faults.conftest import LONG, ask
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Stack, until
from tests.stack.proxy import Proxy

CHARGED = "SELECT sum(failures) + sum(losses) FROM jobs"

END_SECONDS = 40
"""Longer than any drain here but that of `SLOW`, whose end a second SIGTERM must bring."""
SLOW = {"TIL_DRAIN_SECONDS": "120"}


def test_a_draining_worker_lets_short_jobs_end_and_releases_the_long_ones_uncharged(
    stack: Stack, jobs: Jobs
) -> None:
    stack.steward()
    worker = stack.start_ready("tests.stack.faulty_worker", FAULT="uneven", TIL_DRAIN_SECONDS="7")
    short, long = jobs.submit(), jobs.submit(repo="long")
    jobs.until_running(short, long)
    worker.popen.terminate()
    until(lambda: ask(stack, "SELECT draining FROM workers"))
    later = jobs.submit()
    assert worker.popen.wait(END_SECONDS) == 0
    assert [jobs.history(i) for i in (short, later)] == [["submit", "claim", "succeed"], ["submit"]]
    assert jobs.history(long) == ["submit", "claim", "release"]
    assert (jobs.get(long)["attempts"], ask(stack, CHARGED)) == (0, 0)


@pytest.mark.parametrize(("sigterms", "drain"), [(1, {"TIL_DRAIN_SECONDS": "6"}), (2, SLOW)])
def test_another_worker_takes_what_a_draining_one_released(
    stack: Stack, jobs: Jobs, sigterms: int, drain: dict[str, str]
) -> None:
    stack.steward()
    engine = {"TIL_OUTLINE_SECONDS": "300"}
    first = stack.worker(**drain, **engine)
    ids = [jobs.submit() for _ in range(10)]
    jobs.until_running(*ids)
    stack.worker(**engine)
    for _ in range(sigterms):
        first.popen.terminate()
        until(lambda: "draining" in first.log.read_text())
    assert first.popen.wait(END_SECONDS) == 0
    until(lambda: {tuple(jobs.history(i)) for i in ids} == {("submit", "claim", "release", "claim")})
    assert {jobs.get(i)["attempts"] for i in ids} == {1}
    assert ask(stack, CHARGED) == 0


def test_a_second_sigterm_ends_the_worker_at_once_and_still_releases(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    worker = stack.worker(**SLOW, TIL_OUTLINE_SECONDS="300")
    ids = [jobs.submit() for _ in range(3)]
    jobs.until_running(*ids)
    worker.popen.terminate()
    until(lambda: "draining" in worker.log.read_text())
    worker.popen.terminate()
    assert worker.popen.wait(END_SECONDS) == 0
    assert {(job["status"], job["attempts"]) for job in map(jobs.get, ids)} == {("queued", 0)}
    assert ask(stack, CHARGED) == 0


def test_a_drain_is_over_in_time_though_its_connections_are_half_open(
    stack: Stack, jobs: Jobs, proxied_url: str, proxy: Proxy
) -> None:
    worker = stack.worker(DATABASE_URL=proxied_url, TIL_DRAIN_SECONDS="7", **LONG)
    job_id = jobs.submit()
    jobs.until_running(job_id)
    assert proxy.freeze() >= 1
    worker.popen.terminate()
    assert worker.popen.wait(END_SECONDS) == 0
    assert jobs.history(job_id) == ["submit", "claim", "release"]


def test_a_run_that_refuses_to_end_in_a_drain_is_ended_by_the_watchdog(stack: Stack, jobs: Jobs) -> None:
    stack.steward(**SHORT)
    stubborn = stack.start_ready(
        "tests.stack.faulty_worker", FAULT="stubborn", TIL_DRAIN_SECONDS="4", **SHORT
    )
    job_id = jobs.submit()
    jobs.until_running(job_id)
    stubborn.popen.terminate()
    assert stubborn.popen.wait(END_SECONDS) == -signal.SIGKILL
    assert "drain_overran" in stubborn.log.read_text()
    stack.worker(**SHORT)
    assert jobs.get(job_id, wait=20)["status"] == "succeeded"
