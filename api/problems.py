"""The one file that maps facts to HTTP: errors as problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from base.errors import (
    AlreadyFinished,
    DatabaseUnavailable,
    EndpointDisabled,
    IdempotencyKeyReused,
    NoSuchDelivery,
    NoSuchJob,
    NotFinished,
    NotMigrated,
    RequestErased,
    TooManyWaiting,
)
from jobs.read import BadCursor
from webhooks.urls import WebhookUrlForbidden

log = structlog.get_logger()


MOST_ERRORS = 20
"""Of one request that are told."""
LONGEST_POINTER = 300


class Problem(HTTPException):
    """An answer other than success: its status, code, one sentence and headers.

    An HTTPException, or FastAPI would make it a 400 where a body is read.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.status = status
        self.code = code
        self.errors = errors


def unauthorized() -> Problem:
    """401: no valid key was shown."""
    challenge = {"WWW-Authenticate": 'Bearer realm="til-queue"'}
    return Problem(
        401, "unauthorized", "A valid API key is needed: Authorization: Bearer <key>.", None, challenge
    )


def shutting_down() -> Problem:
    """503: this process ends; another one answers."""
    detail = "This process is being stopped: ask again, with the same Idempotency-Key if there is one."
    return Problem(503, "shutting_down", detail, None, {"Retry-After": "1"})


def too_large(limit_bytes: int) -> Problem:
    """413: the body is over the limit."""
    return Problem(413, "payload_too_large", f"The body is over {limit_bytes} bytes.")


def too_late(seconds: int) -> Problem:
    """408: the body has not come in time."""
    detail = f"The body has not come within {seconds} seconds."
    return Problem(408, "request_timeout", detail, None, {"Connection": "close"})


def too_many_connections() -> Problem:
    """503: few files are left, so that this connection is closed."""
    detail = "Too many connections are open here."
    return Problem(503, "queue_full", detail, None, {"Retry-After": "1", "Connection": "close"})


def invalid(pointer: str, message: str) -> Problem:
    """422 for one place in the request, a JSON pointer (or `#query/name`, `#header/name`)."""
    return Problem(
        422, "invalid_request", "The request is invalid.", [{"pointer": pointer, "message": message}]
    )


def invalid_places(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """422 for what pydantic says of a body: the first `MOST_ERRORS` of its errors."""
    first = errors[:MOST_ERRORS]
    told = [{"pointer": _pointer(one["loc"]), "message": _sentence(one["msg"])} for one in first]
    more = f" Of its {len(errors)} errors {MOST_ERRORS} are told." if len(errors) > MOST_ERRORS else ""
    return Problem(422, "invalid_request", f"The request is invalid.{more}", told)


def _pointer(path: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901), in UTF-8 and short whatever a client calls its members."""
    steps = [str(step).encode(errors="replace").decode() for step in path if step != "[key]"]
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)[:LONGEST_POINTER]


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")[:300]


def _unavailable() -> Problem:
    sentence = (
        "The database can't be reached at the moment; a submit under an Idempotency-Key is safe to repeat."
    )
    return Problem(503, "database_unavailable", sentence, None, {"Retry-After": "2"})


FACTS: dict[type[Exception], Problem] = {
    NoSuchJob: Problem(404, "not_found", "There is no such job."),
    NoSuchDelivery: Problem(404, "not_found", "There is no such delivery."),
    NotFinished: Problem(409, "not_finished", "The job has not ended yet."),
    RequestErased: Problem(410, "request_erased", "The request has been erased; it can't be run again."),
    EndpointDisabled: Problem(409, "endpoint_disabled", "This webhook URL is disabled; enable it first."),
    AlreadyFinished: Problem(409, "already_finished", "The job has already ended."),
    IdempotencyKeyReused: Problem(
        422, "idempotency_key_reused", "This Idempotency-Key was used with another body."
    ),
    WebhookUrlForbidden: Problem(422, "webhook_url_forbidden", "This webhook URL is not allowed."),
    BadCursor: invalid("#query/cursor", "Not a cursor of this API."),
    DatabaseUnavailable: _unavailable(),
    NotMigrated: _unavailable(),
    TooManyWaiting: Problem(503, "queue_full", TooManyWaiting().args[0], None, {"Retry-After": "5"}),
}
TITLES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}


def answer(problem: Problem, request_id: str) -> JSONResponse:
    """The problem as its response."""
    body: dict[str, Any] = {
        "type": f"/problems/{problem.code}",
        "title": problem.code.replace("_", " ").capitalize(),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.errors:
        body["errors"] = problem.errors
    return JSONResponse(body, problem.status, problem.headers, media_type="application/problem+json")


def problem_of(error: Exception) -> Problem:
    """What the client is told of a fact that is known here."""
    if isinstance(error, DatabaseUnavailable):
        log.warning("database_unavailable", error=error.reason)
    if isinstance(error, Problem):
        return error
    return next(FACTS[kind] for kind in type(error).__mro__ if kind in FACTS)


def handle_problems(app: FastAPI) -> None:
    """Make every error of the application an `application/problem+json`."""

    async def told(request: Request, error: Exception) -> JSONResponse:
        return answer(problem_of(error), request.state.request_id)

    async def unreadable(request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(_unreadable(error), request.state.request_id)

    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        code = TITLES.get(error.status_code, "http_error")
        problem = Problem(error.status_code, code, str(error.detail), None, error.headers)
        return answer(problem, request.state.request_id)

    facts: list[type[Exception]] = [Problem, *FACTS]
    for fact in facts:
        app.add_exception_handler(fact, told)
    app.exception_handler(RequestValidationError)(unreadable)
    app.exception_handler(HTTPException)(plain)


def _unreadable(error: RequestValidationError) -> Problem:
    """What is wrong with the path, the query or a header (`#query/name`), or with a body that is no JSON."""
    told = []
    for one in error.errors()[:MOST_ERRORS]:
        place, *path = one["loc"]
        pointer = _pointer(path) if place == "body" else f"#{place}{_pointer(path)}"
        told.append({"pointer": pointer, "message": _sentence(one["msg"])})
    return Problem(422, "invalid_request", "The request is invalid.", told)
