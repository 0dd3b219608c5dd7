"""Event streams of an api: who gets one, their limits, and that they are cleaned up."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Message

from api.follow import Followers
from api.job_watch import JobWatch
from api.problems import Problem
from api.routes import events
from api.transcript import ClientPosition
from base.database import Database
from base.loops import Loops
from base.states import Status
from jobs.job_state import JobState
from signals.pubsub import Live
from tests.stack.events import Reader
from tests.stack.processes import Process, Stack, day, until

RUNNING = JobState(Status.RUNNING, 1)


def submitted(client: httpx.Client) -> str:
    return str(client.post("/v1/til", json=day()).json()["id"])


def open_streams(process: Process) -> float:
    line = next(line for line in process.metrics().splitlines() if line.startswith("til_event_streams "))
    return float(line.split()[1])


@contextlib.contextmanager
def listening(client: httpx.Client, job_id: str) -> Iterator[Reader]:
    """A client that has its first event and stays."""
    reader = Reader()
    with reader.listen(client, job_id) as arriving:
        next(arriving)
        yield reader


def test_an_unknown_job_and_another_tenants_have_no_events(stack: Stack, client: httpx.Client) -> None:
    job_id = submitted(client)
    with stack.client(stack.another_tenant()["key"]) as other:
        for answer in (other.get(f"/v1/jobs/{job_id}/events"), client.get(f"/v1/jobs/{uuid.uuid4()}/events")):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert client.get("/v1/jobs/nonsense/events").status_code == 422
    anonymous = httpx.get(f"{stack.api_url}/v1/jobs/{job_id}/events")
    assert anonymous.status_code == 401


def test_a_job_that_has_ended_says_so_at_once(client: httpx.Client) -> None:
    job_id = submitted(client)
    job = client.post(f"/v1/jobs/{job_id}/cancel").json()
    reader = Reader(last_id="0-0-0")
    assert reader.read_to_the_end(client, job_id) == job
    assert reader.names() == ["cancelled", "end"]


def test_a_cancelled_queued_job_ends_its_stream(client: httpx.Client) -> None:
    job_id = submitted(client)
    with listening(client, job_id) as reader, reader.listen(client, job_id) as arriving:
        client.post(f"/v1/jobs/{job_id}/cancel")
        assert [event.name for event in arriving] == ["status", "status", "end"]
    assert reader.names() == ["queued", "cancelled", "end"]


def test_a_client_that_disconnects_ends_no_other_stream_of_the_job(stack: Stack) -> None:
    api = stack.api()
    with stack.client() as client:
        job_id, reader = submitted(client), Reader()
        with reader.listen(client, job_id) as arriving:
            assert next(arriving).data == {"status": "queued"}
            with listening(client, job_id):
                assert open_streams(api) == 2
            until(lambda: open_streams(api) == 1)
            client.post(f"/v1/jobs/{job_id}/cancel")
            until(lambda: open_streams(api) == 0)
            assert [event.name for event in arriving] == ["status", "end"]


def test_a_client_that_disconnects_no_longer_counts(stack: Stack) -> None:
    api = stack.api(TIL_EVENT_STREAMS="3", TIL_EVENT_STREAMS_PER_TENANT="2")
    with stack.client() as client, stack.client(stack.another_tenant()["key"]) as other:
        job_id, theirs = submitted(client), submitted(other)
        with listening(client, job_id), listening(client, job_id):
            assert open_streams(api) == 2
            refused = client.get(f"/v1/jobs/{job_id}/events")
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            with listening(other, theirs):
                full = other.get(f"/v1/jobs/{theirs}/events")
                assert (full.status_code, full.json()["code"]) == (503, "too_many_streams")
            assert int(full.headers["retry-after"]) > 0
        until(lambda: open_streams(api) == 0)
        with listening(client, job_id):
            assert open_streams(api) == 1


def test_streams_end_at_once_when_the_api_stops(stack: Stack) -> None:
    api = stack.api()
    with stack.client() as client, listening(client, submitted(client)) as reader:
        api.ask_to_stop()
        until(lambda: api.popen.poll() is not None)
    assert reader.names() == ["queued"]


def test_the_openapi_document_shows_the_events(stack: Stack, client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    answers = paths["/v1/jobs/{job_id}/events"]["get"]["responses"]
    assert {"200", "401", "404", "422", "429", "503"} <= answers.keys()
    assert answers["200"]["content"].keys() == {"text/event-stream"}
    assert "event: text" in answers["200"]["content"]["text/event-stream"]["example"]


@pytest.fixture
async def followers(database: Database, redis_url: str) -> AsyncIterator[Followers]:
    """The followers of an api that has begun to serve."""
    live = Live(redis_url)
    watch = JobWatch(database, live)
    found = Followers(watch, live, most=2, most_per_tenant=1)
    loops = Loops(lambda name: pytest.fail(f"{name} is dead"))
    watch.start(loops)
    found.start(loops)
    yield found
    await loops.close()
    await live.close()


async def no_job() -> dict[str, Any] | None:
    return None


async def test_a_silent_stream_sends_keepalive_comments(
    followers: Followers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEEPALIVE_SECONDS", 0.05)
    job_state = JobState(Status.QUEUED, 0)
    stream = events.follow(followers, uuid.uuid4(), job_state, ClientPosition(), no_job)
    said = [await anext(stream) for _ in range(4)]
    await stream.aclose()
    assert said[0].startswith(b"retry: ")
    assert said[1] == b'event: status\ndata: {"status": "queued"}\nid: 0-0-0\n\n'
    assert said[2] == said[3] == b": still here\n\n"


async def test_a_job_that_is_gone_ends_its_stream(followers: Followers) -> None:
    stream = events.follow(followers, uuid.uuid4(), RUNNING, ClientPosition(), no_job)
    async with asyncio.timeout(10):
        said = [one async for one in stream]
    assert said[1].startswith(b'event: status\ndata: {"status": "running"}')
    assert len(said) == 2


async def test_the_stream_of_a_client_that_reads_nothing_is_closed(
    followers: Followers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SEND_SECONDS", 0.05)
    tenant_id, never = uuid.uuid4(), asyncio.Event()
    stream = events.follow(followers, uuid.uuid4(), RUNNING, ClientPosition(), no_job)

    async def receive() -> Message:
        await never.wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            with pytest.raises(Problem), followers.admit(tenant_id):
                raise AssertionError
            await never.wait()

    async with asyncio.timeout(10):
        await events.EventStream(followers, tenant_id, stream)({"type": "http"}, receive, send)
    with followers.admit(tenant_id):
        pass
