"""The one file that maps errors to HTTP statuses: problem+json (RFC 9457)."""

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
"""So many errors of one request are listed."""
LONGEST_POINTER = 300


class Problem(HTTPException):
    """An answer other than success: its status, code, one sentence and headers.

    An HTTPException: other errors that are raised while a body is read become 400 in FastAPI.
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
    """401: there is no valid key."""
    challenge = {"WWW-Authenticate": 'Bearer realm="til-queue"'}
    return Problem(
        401, "unauthorized", "A valid API key is needed: Authorization: Bearer <key>.", None, challenge
    )


def shutting_down() -> Problem:
    """503: this process is ending; another one will answer."""
    detail = "This process is being stopped: ask again, with the same Idempotency-Key if there is one."
    return Problem(503, "shutting_down", detail, None, {"Retry-After": "1"})


def too_large(limit_bytes: int) -> Problem:
    """413: the body is over the limit."""
    return Problem(413, "payload_too_large", f"The body is over {limit_bytes} bytes.")


def body_timeout(seconds: int) -> Problem:
    """408: the body did not arrive in time."""
    detail = f"The body has not come within {seconds} seconds."
    return Problem(408, "request_timeout", detail, None, {"Connection": "close"})


def too_many_connections() -> Problem:
    """503: the limit of connections is reached; this one is closed."""
    detail = "Too many connections are open here."
    return Problem(503, "queue_full", detail, None, {"Retry-After": "1", "Connection": "close"})


def invalid(pointer: str, message: str) -> Problem:
    """422 for one place in the request, a JSON pointer (or `#query/name`, `#header/name`)."""
    return Problem(
        422, "invalid_request", "The request is invalid.", [{"pointer": pointer, "message": message}]
    )


def invalid_body(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """422 for pydantic's errors about a body; it lists the first `MOST_ERRORS`."""
    first = errors[:MOST_ERRORS]
    listed = [{"pointer": _pointer(one["loc"]), "message": _sentence(one["msg"])} for one in first]
    more = f" Of its {len(errors)} errors {MOST_ERRORS} are listed." if len(errors) > MOST_ERRORS else ""
    return Problem(422, "invalid_request", f"The request is invalid.{more}", listed)


def _pointer(path: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901). Names of members come from the client: they are made UTF-8, and cut."""
    steps = [str(step).encode(errors="replace").decode() for step in path if step != "[key]"]
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)[:LONGEST_POINTER]


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")[:300]


def _unavailable() -> Problem:
    sentence = (
        "The database can't be reached at the moment; a submit under an Idempotency-Key is safe to repeat."
    )
    return Problem(503, "database_unavailable", sentence, None, {"Retry-After": "2"})


PROBLEMS: dict[type[Exception], Problem] = {
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
    """The problem for an error that is in `PROBLEMS`, or is one."""
    if isinstance(error, DatabaseUnavailable):
        log.warning("database_unavailable", error=error.reason)
    if isinstance(error, Problem):
        return error
    return next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)


def handle_problems(app: FastAPI) -> None:
    """Make every error of the application an `application/problem+json`."""

    async def known(request: Request, error: Exception) -> JSONResponse:
        return answer(problem_of(error), request.state.request_id)

    async def not_valid(request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(_not_valid(error), request.state.request_id)

    async def other(request: Request, error: HTTPException) -> JSONResponse:
        code = TITLES.get(error.status_code, "http_error")
        problem = Problem(error.status_code, code, str(error.detail), None, error.headers)
        return answer(problem, request.state.request_id)

    kinds: list[type[Exception]] = [Problem, *PROBLEMS]
    for kind in kinds:
        app.add_exception_handler(kind, known)
    app.exception_handler(RequestValidationError)(not_valid)
    app.exception_handler(HTTPException)(other)


def _not_valid(error: RequestValidationError) -> Problem:
    """422 for FastAPI's errors about the path, the query, a header (`#query/name`), or a missing body."""
    listed = []
    for one in error.errors()[:MOST_ERRORS]:
        part, *path = one["loc"]
        pointer = _pointer(path) if part == "body" else f"#{part}{_pointer(path)}"
        listed.append({"pointer": pointer, "message": _sentence(one["msg"])})
    return Problem(422, "invalid_request", "The request is invalid.", listed)
