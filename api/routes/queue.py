"""The depth of the queue, and the health of this process."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.auth import CallerOf
from api.examples import QUEUE
from base.errors import JobError
from capacity import queue_depth

router = APIRouter()


@router.get(
    "/v1/queue",
    tags=["queue"],
    summary="How deep the queue is",
    responses={200: {"content": QUEUE}},
)
async def get_queue(request: Request, caller: CallerOf) -> JSONResponse:
    """The queue's numbers, which the steward counts every second."""
    async with request.app.state.database.session() as session:
        now = await queue_depth.read(session)
    oldest = (now.at - now.oldest_queued_at).total_seconds() if now.oldest_queued_at else 0.0
    return JSONResponse(
        {
            "queued": now.queued,
            "running": now.running,
            "workers": now.workers,
            "slots": now.slots,
            "oldest_queued_seconds": round(max(0.0, oldest), 3),
            "tokens_per_second": round(now.tokens_per_second, 1),
            "workers_desired": now.workers_desired,
        }
    )


@router.get("/healthz", tags=["health"], summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """200 as long as the process serves."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    tags=["health"],
    summary="Can it take requests?",
    responses={503: {"description": "PostgreSQL is away, or a background loop is dead."}},
)
async def readyz(request: Request) -> JSONResponse:
    """200 when PostgreSQL answers and every background loop of this process lives.

    Redis is reported, not required: without it jobs start a second later.
    """
    try:
        await request.app.state.database.check()
        postgres = "ok"
    except JobError as error:
        postgres = type(error).__name__
    redis = "ok" if await request.app.state.live.reachable() else "unreachable"
    dead = request.app.state.loops.dead
    ready = postgres == "ok" and dead is None
    headers = {} if ready else {"Retry-After": "2"}
    body = {"status": "ok" if ready else "unavailable", "postgres": postgres, "redis": redis}
    if dead:
        body["dead_loop"] = dead
    return JSONResponse(body, 200 if ready else 503, headers)
