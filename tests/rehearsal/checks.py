"""That nothing was lost: each accepted job succeeded once, no run was lost, each ending was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from base.database import ADMIN, Database

OPEN = text("""
SELECT (SELECT count(*) FROM jobs WHERE finished_at IS NULL)
     + (SELECT count(*) FROM deliveries WHERE state = 'pending')
""")
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


async def still_open(url: str) -> int:
    """Jobs that have not ended, and webhooks that have not been delivered."""
    async with _session(url) as session:
        return int((await session.execute(OPEN)).scalar_one())


async def lost(url: str, accepted: Iterable[str], told: Iterable[str]) -> list[str]:
    """What is wrong with the jobs that were accepted. `told`: ids that the receiver got webhooks of, repeats
    included."""
    async with _session(url) as session:
        jobs = {row.id: row for row in await session.execute(JOBS)}
    counted, wrong = Counter(told), []
    for job_id in accepted:
        job = jobs.get(job_id)
        if job is None:
            wrong.append(f"{job_id} was accepted and is not there")
        elif (job.status, job.endings, job.charged) != ("succeeded", 1, 0):
            wrong.append(f"{job_id} {job.status}, {job.endings} endings, {job.charged} losses and failures")
        elif job.claims != job.releases + 1:
            wrong.append(f"{job_id} was claimed {job.claims} times, released {job.releases} times")
        elif not counted[job_id]:
            wrong.append(f"{job_id} ended, and nobody was told")
    return wrong


async def releases(url: str) -> int:
    """How often a drain gave a job back."""
    async with _session(url) as session:
        return sum(row.releases for row in await session.execute(JOBS))


async def run_by(url: str) -> dict[str, str]:
    """The worker's id that wrote each job that succeeded."""
    async with _session(url) as session:
        return {row.id: row.worker for row in await session.execute(RUN_BY)}


@asynccontextmanager
async def _session(url: str) -> AsyncIterator[AsyncSession]:
    pool = Database(url, ADMIN)
    try:
        async with pool.session() as session:
            yield session
    finally:
        await pool.close()
