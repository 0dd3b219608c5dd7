"""POST /v1/jobs/{id}/replay: the same post once more, or the same day by today's template."""

from __future__ import annotations

import uuid
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from api.auth import CallerOf
from api.body import BoundedRoute
from api.examples import JOB, NOT_FOUND, problem_answer
from api.routes.jobs import show_job
from api.routes.submit import accept
from jobs.replay import replay

router = APIRouter(tags=["submit"], route_class=BoundedRoute)
ANSWERS: dict[int | str, dict[str, object]] = {
    **problem_answer(
        409, "not_finished", "The job has not ended yet, so what it is written by is not known."
    ),
    **problem_answer(410, "request_erased", "The request has been erased."),
}


class Replay(BaseModel):
    """Which seed, sampling and template the new job uses."""

    model_config = ConfigDict(extra="forbid")
    by: Literal["same", "latest"] = Field(
        default="same",
        alias="with",
        description="same: the old seed, sampling and template. latest: as asked then, by today's template.",
    )


@router.post(
    "/v1/jobs/{job_id}/replay",
    status_code=202,
    summary="Write a job's post once more",
    responses={202: {"description": "`Location` names the new job.", "content": JOB}, **NOT_FOUND, **ANSWERS},
)
async def replay_job(
    request: Request, caller: CallerOf, job_id: uuid.UUID, wanted: Replay | None = None
) -> JSONResponse:
    """A new job with `replay_of`. On the same engine, version and weights, `same` writes the same text."""
    same = (wanted or Replay()).by == "same"
    async with request.app.state.database.session() as session:
        submission = await replay(session, caller.tenant_id, job_id, same)
    submitted = await accept(request, submission)
    job = await show_job(request, caller.tenant_id, submitted.job_id)
    return JSONResponse(job, 202, {"Location": f"/v1/jobs/{submitted.job_id}"})
