"""Deliveries of webhooks, sending them again, the tenant's signing secret and its disabled URLs."""

from __future__ import annotations

import datetime
import uuid
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.auth import CallerOf
from api.body import BoundedRoute
from api.examples import NOT_FOUND, problem_answer
from api.problems import Problem
from api.times import in_utc
from base.tables import Tenant
from base.text import STORABLE
from jobs.view import when
from signals.pubsub import DELIVERIES
from tenants import secrets
from tenants.sealing import SecretBox
from webhooks import deliveries, endpoints

router = APIRouter(tags=["webhooks"], route_class=BoundedRoute)
log = structlog.get_logger()
NOT_FAILING = problem_answer(404, "not_found", "This URL is neither failing nor disabled.")
DISABLED = problem_answer(409, "endpoint_disabled", "This webhook URL is disabled; enable it first.")


class Body(BaseModel):
    """A request body; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Resend(Body):
    """Which deliveries to send again: those in `state` whose event is at or after `since`, before `until`."""

    since: Annotated[AwareDatetime, AfterValidator(in_utc)]
    until: Annotated[AwareDatetime, AfterValidator(in_utc)]
    state: Literal["failed", "delivered"] = "failed"

    @model_validator(mode="after")
    def forwards(self) -> Resend:
        """`until` comes after `since`."""
        if self.until <= self.since:
            raise ValueError("until must be later than since")
        return self


class Rotation(Body):
    """For how long the replaced secret signs too; up to a week."""

    overlap_seconds: Annotated[int, Field(ge=0, le=7 * 86_400)] = 86_400


class Url(Body):
    """A webhook URL of this tenant."""

    url: Annotated[str, Field(min_length=1, max_length=2048), STORABLE]


@router.get("/v1/jobs/{job_id}/deliveries", summary="What became of a job's webhooks", responses=NOT_FOUND)
async def job_deliveries(request: Request, caller: CallerOf, job_id: uuid.UUID) -> JSONResponse:
    """Each delivery with its attempts: time, status or error, milliseconds, the answer's first KiB."""
    async with request.app.state.database.session() as session:
        found = await deliveries.deliveries(session, caller.tenant_id, job_id)
    return JSONResponse({"deliveries": found})


@router.post("/v1/deliveries/resend", status_code=202, summary="Send many deliveries again")
async def resend_many(request: Request, caller: CallerOf, which: Resend) -> JSONResponse:
    """Under the same `webhook-id`s; `count` says how many. Those to disabled URLs are left out.

    Done in many transactions: some deliveries may arrive before this request is answered.
    """
    state, span = request.app.state, (which.since, which.until, which.state)
    count, after = 0, None
    while True:
        async with state.database.session() as session:
            some, after = await deliveries.resend_some(session, caller.tenant_id, *span, after)
        count += some
        await state.live.publish(DELIVERIES, "resend")
        if after is None:
            break
    log.info("resend", count=count, state=which.state)
    return JSONResponse({"count": count}, 202)


@router.post(
    "/v1/deliveries/{delivery_id}/resend",
    status_code=202,
    summary="Send a delivery again",
    responses={**NOT_FOUND, **DISABLED},
)
async def resend(request: Request, caller: CallerOf, delivery_id: uuid.UUID) -> Response:
    """Sent now, under the same `webhook-id`, also if an attempt is due later. 409: its URL is disabled."""
    async with request.app.state.database.session() as session:
        await deliveries.resend(session, caller.tenant_id, delivery_id)
    await request.app.state.live.publish(DELIVERIES, "resend")
    log.info("resend", delivery_id=str(delivery_id))
    return JSONResponse({"id": str(delivery_id), "state": "pending"}, 202)


@router.get("/v1/webhook-secret", summary="About the signing secret")
async def webhook_secret(request: Request, caller: CallerOf) -> JSONResponse:
    """The last characters of the secret, never all of it, and until when a previous one signs too."""
    async with request.app.state.database.session() as session:
        tenant = await session.get_one(Tenant, caller.tenant_id)
    return JSONResponse(_about(tenant, request.app.state.secret_box))


@router.post("/v1/webhook-secret/rotate", summary="A new signing secret")
async def rotate(request: Request, caller: CallerOf, rotation: Rotation | None = None) -> JSONResponse:
    """The new secret, which is shown only here. During the overlap every webhook carries both signatures.

    Up to five previous secrets sign too, each until its own overlap ends.
    """
    box: SecretBox = request.app.state.secret_box
    overlap = (rotation or Rotation()).overlap_seconds
    async with request.app.state.database.session() as session:
        secret = await secrets.rotate_webhook_secret(session, caller.tenant_id, overlap, box)
        tenant = await session.get_one(Tenant, caller.tenant_id, populate_existing=True)
    log.info("webhook_secret_rotated", overlap_seconds=overlap)
    return JSONResponse(
        {"secret": secret, **_about(tenant, box)},
        headers={"Cache-Control": "no-store"},
    )


def _about(tenant: Tenant, box: SecretBox) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC)
    until = [datetime.datetime.fromisoformat(one["until"]) for one in tenant.previous_secrets]
    last = max((one for one in until if one > now), default=None)
    return {"ends_with": box.open(tenant.webhook_secret)[-5:], "previous_valid_until": when(last)}


@router.get("/v1/webhook-endpoints", summary="URLs that fail or are disabled")
async def webhook_endpoints(request: Request, caller: CallerOf) -> JSONResponse:
    """Since when each URL fails, and when it was disabled: after five days without a success."""
    async with request.app.state.database.session() as session:
        found = await endpoints.failing(session, caller.tenant_id)
    rows = [
        {"url": one.url, "failing_since": when(one.failing_since), "disabled_at": when(one.disabled_at)}
        for one in found
    ]
    return JSONResponse({"endpoints": rows})


@router.post("/v1/webhook-endpoints/enable", summary="Send to a URL again", responses=NOT_FAILING)
async def enable(request: Request, caller: CallerOf, which: Url) -> JSONResponse:
    """The URL's failures are forgotten. Deliveries that failed meanwhile can be sent again."""
    async with request.app.state.database.session() as session:
        known = await endpoints.enable(session, caller.tenant_id, which.url)
    if not known:
        raise Problem(404, "not_found", "This URL is neither failing nor disabled.")
    log.info("endpoint_enabled")
    return JSONResponse({"url": which.url, "disabled_at": None})
