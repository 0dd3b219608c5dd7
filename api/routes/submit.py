"""POST /v1/til: 202 means that the job is durable in PostgreSQL."""

from __future__ import annotations

import re
from typing import Annotated

import structlog
from fastapi import APIRouter, Body, Header, Request
from fastapi.responses import JSONResponse
from prometheus_client import Counter

from api.auth import CallerOf
from api.body import BoundedRoute, off_loop_if_large
from api.examples import JOB, REQUEST, SUBMIT_PROBLEMS
from api.problems import invalid
from api.routes.jobs import show_job
from base.errors import DatabaseUnavailable, IdempotencyKeyReused, TooManyWaiting
from base.states import ENDINGS
from jobs.fingerprint import request_mac
from jobs.idempotency import answered
from jobs.submission import Submission, Submitted
from signals.pubsub import DELIVERIES
from til.request import TilRequest
from webhooks.urls import check_url

SUBMISSIONS = Counter("til_submissions_total", "Submissions by outcome.", ["outcome"])
OUTCOMES: dict[type[Exception], str] = {
    DatabaseUnavailable: "unavailable",
    TooManyWaiting: "unavailable",
    IdempotencyKeyReused: "refused",
}
router = APIRouter(tags=["submit"], route_class=BoundedRoute)
log = structlog.get_logger()

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]
Prefer = Annotated[str | None, Header(alias="Prefer", description="`wait=30`: hold for up to 60 s.")]


@router.post(
    "/v1/til",
    status_code=202,
    summary="Submit a day's commits",
    responses={
        202: {"description": "Durable; `Location` names the job.", "content": JOB},
        200: {"description": "Ended within `Prefer: wait`, or reused.", "content": JOB},
        **SUBMIT_PROBLEMS,
    },
)
async def submit(
    request: Request,
    caller: CallerOf,
    til: Annotated[TilRequest, Body(openapi_examples=REQUEST)],
    idempotency_key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Store the request and answer with the job, which is queued."""
    state = request.app.state
    if til.webhook:
        check_url(til.webhook.url, state.webhooks.allow_http, state.webhooks.allowed_networks)
    model = alias(til.model, state.aliases)
    mac = await off_loop_if_large(request, request_mac, caller.request_key, til) if idempotency_key else None
    til, redactions = await state.redactor.redact(til)
    wait = wait_seconds(prefer)
    submission = Submission(
        caller.tenant_id,
        til,
        model,
        idempotency_key,
        redactions=redactions,
        request_mac=mac,
        waits=bool(wait),
    )
    submitted = await accept(request, submission)
    return await _answer(request, submission, submitted, wait)


async def accept(request: Request, submission: Submission) -> Submitted:
    """Store the submission, count it, and publish that there is a job. Raises as `Submitter.submit` does."""
    state = request.app.state
    try:
        submitted: Submitted = await state.submitter.submit(submission)
    except tuple(OUTCOMES) as error:
        SUBMISSIONS.labels(next(OUTCOMES[kind] for kind in OUTCOMES if isinstance(error, kind))).inc()
        raise
    SUBMISSIONS.labels("replayed" if submitted.replayed else "accepted").inc()
    log.info("submitted", job_id=str(submitted.job_id), replayed=submitted.replayed)
    if not submitted.replayed and not submitted.reused:
        state.ringer.ring(submission.model, [str(submitted.job_id)])
    if submitted.reused:
        await state.live.publish(DELIVERIES, str(submitted.job_id))
    return submitted


async def _answer(
    request: Request, submission: Submission, submitted: Submitted, wait: int | None
) -> JSONResponse:
    """The job, once it has ended or `wait` is over. A repeated Idempotency-Key gets the status code of the
    first answer; while there is none yet, the code that it would get as the first."""
    state, tenant_id, job_id = request.app.state, submission.tenant_id, submitted.job_id
    if wait and not submitted.reused:
        await state.waiters.until_ended(tenant_id, job_id, wait)
    job = await show_job(request, tenant_id, job_id)
    waited = bool(wait) and job["status"] in ENDINGS
    saw_end = submitted.reused or waited
    if submitted.first_saw_end is not None:
        saw_end = submitted.first_saw_end
    elif wait and submission.idempotency_key and not submitted.replayed:
        async with state.database.session() as session:
            await answered(session, job_id, saw_end)
    headers = {"Location": f"/v1/jobs/{job_id}"}
    if submitted.replayed:
        headers["Idempotent-Replayed"] = "true"
    if waited:
        headers["Preference-Applied"] = "wait"
    return JSONResponse(job, 200 if saw_end else 202, headers)


def alias(asked: str | None, offered: list[str]) -> str:
    """The model alias to run on: the one that was asked for, or the default. Raises Problem (422)."""
    if asked is None:
        return offered[0]
    if asked not in offered:
        raise invalid("/model", f"Not offered here; one of: {', '.join(offered)}.")
    return asked


def wait_seconds(prefer: str | None) -> int | None:
    """The seconds of `Prefer: wait=N` (RFC 7240), 1 to 60; None for any other preference."""
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})", prefer or "", re.IGNORECASE)
    return min(60, int(found[1])) or None if found else None
