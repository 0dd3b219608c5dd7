"""Reading and cancelling jobs."""

from __future__ import annotations

import datetime
import uuid
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AfterValidator

from api.auth import CallerOf
from api.examples import HISTORY, JOB, JOBS, NOT_FOUND, problem_answer
from api.times import in_utc
from base.metrics import FINISHED
from base.states import Status
from base.text import STORABLE
from jobs import cancel, read
from jobs.read import Filter
from signals.pubsub import CANCEL, DELIVERIES, ENDED

router = APIRouter(tags=["jobs"])
ALREADY_FINISHED = problem_answer(409, "already_finished", "The job has already ended.")
log = structlog.get_logger()
Text = Annotated[Annotated[str, STORABLE] | None, Query(max_length=200)]
Time = Annotated[Annotated[datetime.datetime, AfterValidator(in_utc)] | None, Query()]


async def show_job(request: Request, tenant_id: uuid.UUID, job_id: uuid.UUID) -> dict[str, Any]:
    """The job as it is now, its live progress included. Raises NoSuchJob."""
    async with request.app.state.database.session() as session:
        job = await read.show(session, tenant_id, job_id)
    if job["status"] == Status.RUNNING:
        job["progress"] = await request.app.state.live.progress(job_id)
    return job


@router.get("/v1/jobs/{job_id}", summary="One job", responses={200: {"content": JOB}, **NOT_FOUND})
async def get_job(
    request: Request,
    caller: CallerOf,
    job_id: uuid.UUID,
    wait: Annotated[int | None, Query(ge=1, le=60, description="Hold until it ends or time is up.")] = None,
) -> JSONResponse:
    """The job; with `wait`, once it has ended or after so many seconds."""
    if wait:
        await request.app.state.waiters.until_ended(caller.tenant_id, job_id, wait)
    return JSONResponse(await show_job(request, caller.tenant_id, job_id))


@router.get(
    "/v1/jobs/{job_id}/history",
    summary="What happened to a job",
    responses={200: {"content": HISTORY}, **NOT_FOUND},
)
async def get_history(request: Request, caller: CallerOf, job_id: uuid.UUID) -> JSONResponse:
    """The job's transitions, oldest first: what happened, when, under which claim and worker."""
    async with request.app.state.database.session() as session:
        return JSONResponse({"events": await read.history(session, caller.tenant_id, job_id)})


@router.get("/v1/jobs", summary="List jobs, newest first", responses={200: {"content": JOBS}})
async def list_jobs(
    request: Request,
    caller: CallerOf,
    status: Annotated[Status | None, Query()] = None,
    repo: Text = None,
    username: Text = None,
    created_after: Time = None,
    created_before: Time = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Text = None,
) -> JSONResponse:
    """One page; `next_cursor` is null on the last one. Rows leave out `result.content`."""
    wanted = Filter(status, repo, username, created_after, created_before)
    async with request.app.state.database.session() as session:
        return JSONResponse(await read.page(session, caller.tenant_id, wanted, limit, cursor))


@router.post(
    "/v1/jobs/{job_id}/cancel",
    summary="Cancel a job",
    responses={
        200: {"description": "Was queued: it has ended.", "content": JOB},
        202: {"description": "Runs: asked to stop.", "content": JOB},
        **NOT_FOUND,
        **ALREADY_FINISHED,
    },
)
async def cancel_job(request: Request, caller: CallerOf, job_id: uuid.UUID) -> JSONResponse:
    """Queued: cancelled at once (200). Running: asked to stop (202). Ended: 409."""
    state = request.app.state
    async with state.database.session() as session:
        status = await cancel.cancel(session, caller.tenant_id, job_id)
    log.info("cancel", job_id=str(job_id), status=status)
    if status == Status.CANCELLED:
        FINISHED.labels(status).inc()
        await state.live.publish(ENDED, str(job_id))
        await state.live.publish(DELIVERIES, str(job_id))
    else:
        await state.live.publish(CANCEL, str(job_id))
    job = await show_job(request, caller.tenant_id, job_id)
    return JSONResponse(job, 200 if status == Status.CANCELLED else 202)
