"""A job as server-sent events: status, progress, the text while it is written, the end."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.auth import CallerOf
from api.examples import NOT_FOUND, problem_answer
from api.follow import Followers
from api.transcript import ClientPosition
from base.errors import DatabaseUnavailable, NoSuchJob
from jobs import read
from jobs.job_state import JobState, job_state

KEEPALIVE_SECONDS = 15
REREAD_SECONDS = 2
"""Between attempts to read an ended job while the database is unavailable."""
SEND_SECONDS = 30
RETRY = b"retry: 2000\n\n"
KEEPALIVE = b": still here\n\n"
EVENTS = """retry: 2000

event: status
data: {"status": "running"}
id: 1-0-0

event: progress
data: {"stage": "write", "done": 0, "total": 1, "completion_tokens": 12}

event: text
data: {"delta": "# The crank turns"}
id: 1-0-17

event: text
data: {"delta": " forward\\n\\nada/engine"}
id: 1-0-37

: still here

event: status
data: {"status": "succeeded"}

event: end
data: {"id": "01966c3e-5f3a-7cc1-9d55-2f6f1c1f0a11", "status": "succeeded", "result": {}}
"""
TOO_MANY_STREAMS: dict[int | str, Any] = {
    **problem_answer(429, "rate_limited", "Too many event streams of this tenant are open."),
    **problem_answer(503, "too_many_streams", "Too many event streams are open, or the database is away."),
}
log = structlog.get_logger()
router = APIRouter(tags=["jobs"])


class EventStream(StreamingResponse):
    """One client's event stream. It counts among the open streams of `Followers`."""

    media_type = "text/event-stream"

    def __init__(self, followers: Followers, tenant_id: uuid.UUID, events: AsyncGenerator[bytes]) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._followers = followers
        self._tenant_id = tenant_id
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the job has ended, the client disconnects, or reads nothing for `SEND_SECONDS`."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        with self._followers.admit(self._tenant_id):
            try:
                await super().__call__(scope, receive, send_in_time)
            except TimeoutError:
                log.info("event_stream_stalled")
            finally:
                await self._events.aclose()


@router.get(
    "/v1/jobs/{job_id}/events",
    summary="Follow a job",
    status_code=200,
    response_class=EventStream,
    responses={200: {"content": {"text/event-stream": {"example": EVENTS}}}, **NOT_FOUND, **TOO_MANY_STREAMS},
)
async def get_events(
    request: Request,
    caller: CallerOf,
    job_id: uuid.UUID,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Continue after this event.")
    ] = None,
) -> EventStream:
    """Server-sent events until the job has ended.

    `status` when it changes; with `running` the text begins anew, empty. `progress` as in the job. `text`:
    markdown to be appended. `end`: the job as `GET` shows it. A comment after 15 seconds without an event.
    """
    state = request.app.state
    async with state.database.session() as session:
        initial = await job_state(session, caller.tenant_id, job_id)

    async def job() -> dict[str, Any] | None:
        with contextlib.suppress(DatabaseUnavailable, NoSuchJob):
            async with state.database.session() as session:
                return await read.show(session, caller.tenant_id, job_id)
        return None

    events = follow(state.followers, job_id, initial, ClientPosition(last_event_id), job)
    return EventStream(state.followers, caller.tenant_id, events)


async def follow(
    followers: Followers,
    job_id: uuid.UUID,
    initial: JobState,
    position: ClientPosition,
    read_job: Callable[[], Awaitable[dict[str, Any] | None]],
) -> AsyncGenerator[bytes]:
    """The events for a client. `initial`: the job's state now. `position`: what the client has. `read_job`
    returns the job, None while the database is unavailable or when the job is gone."""
    yield RETRY
    with followers.follow(job_id, initial) as (transcript, woken):
        await followers.catch_up(transcript)
        while not (followers.closing or transcript.gone):
            woken.clear()
            if not transcript.ended:
                for event in position.pending_events(transcript):
                    yield event
            elif job := await read_job():
                for event in position.final_events(transcript, job):
                    yield event
                return
            try:
                await asyncio.wait_for(
                    woken.wait(), REREAD_SECONDS if transcript.ended else KEEPALIVE_SECONDS
                )
            except TimeoutError:
                yield KEEPALIVE
