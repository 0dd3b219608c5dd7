"""A worker that gets no doorbells claims by itself, and reconnects its consumer."""

from __future__ import annotations

from pathlib import Path

from redis import Redis

from deploy.local.valkey import ValkeyServer
from tests.faults.conftest import ask
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, until

SLOTS = 4
MOST_AT_ONCE = """
SELECT max((SELECT count(*) FROM jobs AS other WHERE other.claimed_at <= jobs.claimed_at
    AND other.finished_at > jobs.claimed_at)) FROM jobs
"""


def test_a_silent_consumer_delays_jobs_by_seconds_and_is_reconnected(
    stack: Stack, jobs: Jobs, tmp_path: Path
) -> None:
    deaf = tmp_path / "deaf"
    stack.steward()
    worker = stack.start_ready("tests.stack.deaf_consumer", TIL_SLOTS=str(SLOTS), DEAF=str(deaf))
    assert jobs.get(jobs.submit(), wait=20)["status"] == "succeeded"
    deaf.touch()
    ids = [jobs.submit() for _ in range(3 * SLOTS)]
    assert {jobs.get(one, wait=30)["status"] for one in ids} == {"succeeded"}
    assert [jobs.history(one) for one in ids] == [["submit", "claim", "succeed"]] * len(ids)
    until(lambda: "consumer_restarting" in worker.log.read_text(), 20)
    heard = worker.log.read_text().count("doorbells_missing")
    until(lambda: jobs.get(jobs.submit(), wait=4)["status"] == "succeeded")
    with Redis.from_url(stack.redis_url) as redis:
        until(lambda: redis.llen("til.default") == 0)
    assert worker.log.read_text().count("doorbells_missing") <= heard + 1
    assert worker.popen.poll() is None


def test_while_redis_is_away_workers_claim_by_themselves(
    stack: Stack, jobs: Jobs, valkey: ValkeyServer
) -> None:
    stack.steward()
    stack.worker(TIL_SLOTS=str(SLOTS), TIL_OUTLINE_SECONDS="0.5")
    valkey.stop()
    try:
        ids = [jobs.submit() for _ in range(2 * SLOTS)]
        assert {jobs.get(one, wait=30)["status"] for one in ids} == {"succeeded"}
        most = ask(stack, MOST_AT_ONCE)
        assert isinstance(most, int)
        assert 1 < most <= SLOTS
    finally:
        valkey.start()


def test_after_resets_of_all_connections_a_worker_still_takes_jobs(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    worker = stack.worker(TIL_SLOTS=str(SLOTS))
    with Redis.from_url(stack.redis_url) as redis:
        for _ in range(9):
            redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            assert jobs.get(jobs.submit(), wait=20)["status"] == "succeeded"
    assert worker.popen.poll() is None
