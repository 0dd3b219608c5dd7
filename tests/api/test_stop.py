"""SIGTERM to an api while the database or a client holds it up: whole answers, and the process ends."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from base.database import Database
from signals.pubsub import Live
from signals.streams import Entry, StreamUpdate
from tests.stack.processes import Process, Stack, day, until
from tests.stack.raw import connection, head, read_head, read_to_the_end

SECONDS = 5
"""Two are promised; the machine of a test is busy."""
LOCKED = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


def ends_in_time(api: Process) -> None:
    api.ask_to_stop()
    until(lambda: api.popen.poll() is not None, SECONDS)


async def test_a_submit_that_cannot_be_stored_in_time_is_503(stack: Stack, database: Database) -> None:
    api = stack.api()
    with stack.client() as client, ThreadPoolExecutor() as threads:
        async with database.session() as session:
            await session.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
            submit = threads.submit(client.post, "/v1/til", json=day())
            while not (await session.execute(LOCKED)).scalar_one():
                pass
            ends_in_time(api)
            answer = submit.result()
    assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_stream_whose_client_reads_nothing_does_not_delay_the_end(stack: Stack) -> None:
    api, key = stack.api(), stack.keys["key"]
    with stack.client() as client:
        job_id = client.post("/v1/til", json=day()).json()["id"]
    live = Live(stack.redis_url)
    entry = Entry(claim_no=1, answer=0, offset=0, text="x" * 2**23)
    assert not await live.text.publish([StreamUpdate(uuid.UUID(job_id), entry, whole=True)])
    await live.close()
    with connection(stack, head("GET", f"/v1/jobs/{job_id}/events", key)) as takes_nothing:
        assert read_head(takes_nothing).startswith("HTTP/1.1 200 ")
        ends_in_time(api)


def test_a_stream_ends_after_a_whole_event_and_continues_at_another_api(stack: Stack) -> None:
    api, key = stack.api(), stack.keys["key"]
    with stack.client() as client:
        job_id = client.post("/v1/til", json=day()).json()["id"]
    with connection(stack, head("GET", f"/v1/jobs/{job_id}/events", key)) as followed:
        first = read_head(followed).encode()
        ends_in_time(api)
        assert (first + read_to_the_end(followed)).endswith(b"\r\n0\r\n\r\n")
    stack.api()
    with connection(stack, head("GET", f"/v1/jobs/{job_id}/events", key, Last_Event_ID="0-0-0")) as again:
        assert read_head(again).startswith("HTTP/1.1 200 ")
