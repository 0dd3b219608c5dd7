"""The text of running jobs through a real Valkey: capped, expiring, and never with a gap."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from api.transcript import Transcript
from base.states import Status
from deploy.local.valkey import ValkeyServer
from jobs.job_state import JobState
from signals.pubsub import Live
from signals.streams import KEPT_SECONDS, MOST_ENTRIES, START, Entry, StreamUpdate
from tests.stack.processes import day
from til.request import TilRequest
from worker.live.reporter import LiveReporter
from worker.live.stream_state import MOST_BYTES, MOST_TEXT_BYTES, REPEAT_SECONDS, StreamState
from worker.metrics import TokenRate
from worker.writing.progress import Progress

REQUEST = TilRequest.model_validate(day())
JOB = uuid.UUID(int=7)
KEY = f"til:text:{JOB}"


@pytest.fixture
async def live(redis_url: str) -> AsyncIterator[Live]:
    """The worker's connection."""
    connection = Live(redis_url)
    yield connection
    await connection.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A look at what is really there."""
    connection = Redis.from_url(redis_url, decode_responses=True)
    yield connection
    await connection.aclose()


async def heard(live: Live, position: str = START) -> Transcript:
    """What a reader that comes now knows of the job."""
    transcript = Transcript(JOB, JobState(Status.QUEUED, 0))
    found = await live.text.read({JOB: position})
    assert found is not None
    for entry in found.get(JOB, (START, []))[1]:
        transcript.add(entry)
    return transcript


def written(text: str, tokens: int = 1, anew: bool = False) -> Progress:
    return Progress("write", 0, 1, tokens, text, anew)


async def test_a_reader_knows_of_a_run_at_once_and_of_its_text_with_the_next_tick(live: Live) -> None:
    rate = TokenRate()
    watch = LiveReporter(live, rate)
    report = watch.start(REQUEST, JOB, 3, None, webhook=False)
    await watch.tick(1.0)
    begun = await heard(live)
    assert (begun.status, begun.claim_no, begun.text, begun.progress) == (Status.RUNNING, 3, "", None)
    for number, part in enumerate(['{"title"', ': "A ', "mi", 'll"']):
        report(written(part, 2 * number + 2, anew=number == 0))
    await watch.tick(1.25)
    assert (await heard(live)).text == "# A mill"
    assert await live.progress(JOB) == {"stage": "write", "done": 0, "total": 1, "completion_tokens": 8}
    assert watch.partial_text(JOB) == "# A mill\n"
    watch.forget(JOB, claim_no=2)
    assert watch.partial_text(JOB) == "# A mill\n"
    watch.forget(JOB, claim_no=3)
    assert watch.partial_text(JOB) is None
    assert rate.per_second() == pytest.approx(8 / 30)


async def test_a_second_answer_of_a_run_starts_the_text_anew(live: Live) -> None:
    watch = LiveReporter(live, TokenRate())
    report = watch.start(REQUEST, JOB, 1, None, webhook=False)
    report(written('{"title": "No", 4', anew=True))
    await watch.tick(1.0)
    assert (await heard(live)).text == "# No"
    report(written('{"title": "Yes', anew=True))
    report(written(" and ", 2))
    assert watch.partial_text(JOB) == "# Yes and\n"
    await watch.tick(1.25)
    again = await heard(live)
    assert (again.claim_no, again.answer, again.text) == (1, 1, "# Yes and")


async def test_a_stream_is_capped_and_always_expires(live: Live, redis: Redis) -> None:
    watch = LiveReporter(live, TokenRate())
    report = watch.start(REQUEST, JOB, 1, None, webhook=False)
    report(written('{"title": "', anew=True))
    for number in range(3 * MOST_ENTRIES):
        report(written("word " * 30, number))
        await watch.tick(number / 100)
        assert await redis.ttl(KEY) == pytest.approx(KEPT_SECONDS, abs=2)
        assert await redis.xlen(KEY) <= MOST_ENTRIES
    found = await live.text.read({JOB: START})
    assert sum(len(entry.text) for entry in (found or {})[JOB][1]) <= MOST_BYTES
    text, whole = (await heard(live)).text, watch.partial_text(JOB) or ""
    assert len(whole) > 2 * MOST_TEXT_BYTES
    assert whole.startswith(text)
    assert MOST_TEXT_BYTES - 200 < len(text) <= MOST_TEXT_BYTES


async def test_after_a_loss_in_redis_the_text_is_published_from_its_beginning(
    live: Live, redis: Redis
) -> None:
    watch = LiveReporter(live, TokenRate())
    report = watch.start(REQUEST, JOB, 1, None, webhook=False)
    report(written('{"title": "one ', anew=True))
    await watch.tick(1.0)
    await redis.flushall()
    report(written("two ", 2))
    await watch.tick(1.25)
    assert await redis.exists(KEY) == 0
    await watch.tick(1.5)
    assert (await heard(live)).text == "# one two"
    await redis.xtrim(KEY, 0)
    report(written("three ", 3))
    await watch.tick(1.75)
    assert (await heard(live)).text == ""
    await watch.tick(1.75 + REPEAT_SECONDS)
    assert (await heard(live)).text == "# one two three"


async def test_during_an_outage_of_redis_nothing_piles_up_and_afterwards_no_text_is_missing(
    live: Live, valkey: ValkeyServer
) -> None:
    watch = LiveReporter(live, TokenRate())
    report = watch.start(REQUEST, JOB, 1, None, webhook=False)
    report(written('{"title": "one ', anew=True))
    await watch.tick(1.0)
    valkey.stop()
    try:
        for number in range(5):
            report(written(f"{number} ", number))
            await watch.tick(2.0 + number)
    finally:
        valkey.start()
    await watch.tick(8.0)
    assert (await heard(live)).text == "# one 0 1 2 3 4"


async def test_progress_for_webhooks_is_published_with_each_tick_that_has_changes(live: Live) -> None:
    watch = LiveReporter(live, TokenRate())
    report = watch.start(REQUEST, JOB, 1, None, webhook=True)
    told = []
    for number in range(4):
        report(Progress("summarise", number, 4, number))
        await watch.tick(100.0 + number)
        await watch.tick(100.5 + number)
        told += [(job_id, progress["done"]) for job_id, progress in (await live.pop_progress(10)).items()]
    assert told == [(JOB, number) for number in range(4)]


async def test_a_jobs_text_can_be_erased(live: Live, redis: Redis) -> None:
    await live.text.publish([StreamUpdate(JOB, Entry(1, 0, 0, "secret"), whole=True)])
    await live.text.forget(JOB)
    assert await redis.keys("til:*") == []


async def test_a_malformed_entry_is_ignored(live: Live, redis: Redis) -> None:
    for junk in ("", "{}", "[1, 2, 3]", '["a", 0, 0, "", {}]', '[Infinity, 0, 0, "", 1]', "[" * 200_000):
        await redis.xadd(KEY, {"entry": junk})
    await redis.xadd(KEY, {"other": "x"})
    await live.text.publish([StreamUpdate(JOB, Entry(1, 0, 0, "text"), whole=False)])
    assert (await heard(live)).text == "text"


async def test_a_reader_waits_for_the_next_entry(live: Live) -> None:
    await live.text.publish([StreamUpdate(JOB, Entry(1, 0, 0, "a"), whole=True)])
    found = await live.text.read({JOB: START})
    assert found is not None
    position, _ = found[JOB]
    assert await live.text.read({JOB: position}, 0.05) == {}
    await live.text.publish([StreamUpdate(JOB, Entry(1, 0, 1, "b"), whole=False)])
    found = await live.text.read({JOB: position, uuid.uuid4(): START}, 0.5)
    assert found is not None
    assert [entry.text for entry in found[JOB][1]] == ["b"]


def test_text_after_a_gap_is_not_appended() -> None:
    stream, transcript = StreamState(JOB, 1), Transcript(JOB, JobState(Status.RUNNING, 1))
    for number, word in enumerate(["a", "b", "c", "d"]):
        stream.add(word)
        news = stream.update(None, webhook=False, now=1.0)
        if word == "b":
            stream.mark_lost()
        else:
            transcript.add(news.entry)
        assert "abcd".startswith(transcript.text)
        assert news.whole == (number in (0, 2))
    assert transcript.text == "abcd"
