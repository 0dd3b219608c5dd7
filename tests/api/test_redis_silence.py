"""Redis stops to answer while an api follows many jobs: afterwards every reader continues where it was."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
from redis.asyncio import Redis

from api import follow
from api.follow import Followers
from api.job_watch import JobWatch
from api.transcript import Transcript
from base.database import Database
from base.loops import Loops
from base.states import Status
from jobs.job_state import JobState
from signals.pubsub import Live
from signals.streams import START, Entry, StreamUpdate

STREAMS = 3 * follow.STREAMS_AT_ONCE + 1


@pytest.fixture
async def live(redis_url: str) -> AsyncIterator[Live]:
    """Redis, as an api and a worker use it."""
    found = Live(redis_url)
    yield found
    await found.close()


@pytest.fixture
async def transcripts(database: Database, live: Live) -> AsyncIterator[dict[uuid.UUID, Transcript]]:
    """The transcripts of many followed jobs, which are not in PostgreSQL."""
    followers, loops = Followers(JobWatch(database, live), live, STREAMS, STREAMS), Loops(pytest.fail)
    with ExitStack() as followed:
        found = {}
        for job_id in (uuid.uuid4() for _ in range(STREAMS)):
            job_state = JobState(Status.RUNNING, 1)
            found[job_id], _ = followed.enter_context(followers.follow(job_id, job_state))
        followers.start(loops)
        yield found
        await loops.close()


async def write(live: Live, job_ids: list[uuid.UUID], offset: int, text: str) -> None:
    for first in range(0, len(job_ids), 50):
        some = job_ids[first : first + 50]
        news = [StreamUpdate(job_id, Entry(1, 0, offset, text), whole=offset == 0) for job_id in some]
        assert not await live.text.publish(news)


async def until_all_have(transcripts: dict[uuid.UUID, Transcript], text: str) -> None:
    async with asyncio.timeout(20):
        while not all(transcript.text == text for transcript in transcripts.values()):
            await asyncio.sleep(0.05)


async def test_streams_continue_where_they_were_after_an_outage(
    transcripts: dict[uuid.UUID, Transcript], live: Live, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(live, list(transcripts), 0, "one ")
    await until_all_have(transcripts, "one ")
    before = {job_id: transcript.position for job_id, transcript in transcripts.items()}
    asked: list[str] = []
    read = live.text.read

    async def watched(positions: dict[uuid.UUID, str], wait_seconds: float = 0) -> object:
        asked.extend(positions.values())
        return await read(positions, wait_seconds)

    monkeypatch.setattr(live.text, "read", watched)
    async with Redis.from_url(redis_url) as admin:
        await admin.client_pause(3000, all=True)
        async with asyncio.timeout(20):
            while len(asked) < 2 * STREAMS:
                await asyncio.sleep(0.05)
        await admin.client_unpause()
    await write(live, list(transcripts), 4, "two")
    await until_all_have(transcripts, "one two")
    assert START not in asked
    assert set(asked) >= set(before.values())


async def test_streams_whose_ids_begin_anew_after_a_loss_are_read_from_their_start(
    transcripts: dict[uuid.UUID, Transcript], live: Live, redis_url: str
) -> None:
    job_ids = list(transcripts)
    await write(live, job_ids, 0, "one ")
    await until_all_have(transcripts, "one ")
    for transcript in transcripts.values():
        transcript.position = "99999999999999-0"
    async with Redis.from_url(redis_url) as admin:
        await admin.client_pause(3000, all=True)
        assert await live.text.read({job_ids[0]: START}) is None
        await write_when_back(live, job_ids)
    await until_all_have(transcripts, "one two")


async def write_when_back(live: Live, job_ids: list[uuid.UUID]) -> None:
    async with asyncio.timeout(20):
        while not await live.reachable():
            await asyncio.sleep(0.05)
    await write(live, job_ids, 4, "two")
