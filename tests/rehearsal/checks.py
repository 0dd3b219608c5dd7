"""That nothing was lost: each accepted job succeeded once, no run was lost, each ending was told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from tests.rehearsal.load import Load
from tests.stack.database import transaction
from tests.stack.receiver import Receiver

JOBS = text("""
SELECT id::text AS id, status, failures + losses AS charged,
    (SELECT count(*) FROM job_events AS e WHERE e.job_id = jobs.id
     AND e.verb IN ('succeed', 'fail', 'cancel', 'expire')) AS endings,
    (SELECT count(*) FROM job_events AS e WHERE e.job_id = jobs.id AND e.verb = 'claim') AS claims,
    (SELECT count(*) FROM job_events AS e WHERE e.job_id = jobs.id AND e.verb = 'release') AS releases
FROM jobs
""")
RUN_BY = text("""
SELECT job_id::text AS id, worker_id::text AS worker FROM job_events WHERE verb = 'succeed'
""")


@dataclass
class Outcome:
    """What became of the jobs. `released`: how often a drain gave one back; `retries`: submits repeated."""

    jobs: int = 0
    retries: int = 0
    released: int = 0
    wrong: list[str] = field(default_factory=list)


async def check(seen: Outcome, load: Load, receiver: Receiver, url: str) -> None:
    """Write into `seen` what became of the jobs of this load, and what is wrong with them."""
    async with transaction(url) as session:
        jobs = {row.id: row for row in await session.execute(JOBS)}
    told = {message["data"]["id"] for message in receiver.messages}
    seen.jobs, seen.retries = len(load.accepted), load.retries
    seen.released = sum(job.releases for job in jobs.values())
    seen.wrong += _lost(jobs, load.accepted, told)
    seen.wrong += [f"no api took it: {one}" for one in load.gave_up]


def _lost(jobs: Mapping[str, Any], accepted: Iterable[str], told: set[str]) -> Iterator[str]:
    for job_id in accepted:
        job = jobs.get(job_id)
        if job is None:
            yield f"{job_id} was accepted and is not there"
        elif (job.status, job.endings, job.charged) != ("succeeded", 1, 0):
            yield f"{job_id} {job.status}, {job.endings} endings, {job.charged} losses and failures"
        elif job.claims != job.releases + 1:
            yield f"{job_id} was claimed {job.claims} times, released {job.releases} times"
        elif job_id not in told:
            yield f"{job_id} ended, and nobody was told"


async def run_by(url: str) -> dict[str, str]:
    """The worker's id that wrote each job that succeeded."""
    async with transaction(url) as session:
        return {row.id: row.worker for row in await session.execute(RUN_BY)}
