"""Middleware for every request: its id, log line and metrics, authentication, and the limit of its body."""

from __future__ import annotations

import asyncio
import re
import time
import uuid

import structlog
from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import NEED_A_KEY, authenticate
from api.connections import Connections
from api.problems import (
    Problem,
    answer,
    body_timeout,
    problem_of,
    shutting_down,
    too_large,
    too_many_connections,
)
from base.errors import DatabaseUnavailable

SECONDS = Histogram("til_http_request_seconds", "HTTP requests.", ["route", "method", "status"])
BODY_SECONDS = 30
"""From a request's head to the end of its body."""
ALWAYS_ANSWERED = ("/healthz", "/readyz")
METHODS = {"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"}
log = structlog.get_logger()


class BodyTooLarge(HTTPException):
    """The body grew over the limit while it was read. An HTTPException: FastAPI makes other errors a 400."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(413, too_large(limit_bytes).detail)


class RequestMiddleware:
    """Outermost ASGI middleware. It authenticates before it reads any of the body.

    `body_limit_bytes` is checked against Content-Length, and against what arrives.
    """

    def __init__(self, app: ASGIApp, body_limit_bytes: int, clients: Connections | None = None) -> None:
        self._app = app
        self._limit = body_limit_bytes
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; after any error inside, the client gets a problem with the request id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        seen = {"status": 500, "started": False}
        began = time.monotonic()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.update(status=message["status"], started=True)
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._serve(scope, receive, send_with_id, seen, request_id)
            finally:
                _log_request(scope, seen["status"], time.monotonic() - began)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, seen: dict[str, int | bool], request_id: str
    ) -> None:
        try:
            if self._clients and self._clients.full and scope["path"] not in ALWAYS_ANSWERED:
                raise too_many_connections()
            if scope["path"].startswith(NEED_A_KEY):
                scope["state"]["caller"] = await authenticate(scope, scope["app"].state.keys)
            if _declared(scope) > self._limit:
                raise too_large(self._limit)
            await self._app(scope, _limited(receive, self._limit), send)
        except (Problem, DatabaseUnavailable) as error:
            await answer(problem_of(error), request_id)(scope, receive, send)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a request's outermost handler
            problem = self._problem(error)
            if not seen["started"]:
                await answer(problem, request_id)(scope, receive, send)

    def _problem(self, error: BaseException) -> Problem:
        """The problem for the client. A request is cancelled when the process ends without waiting for it."""
        if isinstance(error, BodyTooLarge):
            return too_large(self._limit)
        if isinstance(error, asyncio.CancelledError):
            return shutting_down()
        log.error("request_crashed", exc_info=error)
        return Problem(500, "internal_error", "The request could not be served.")


def _limited(receive: Receive, limit: int) -> Receive:
    got, more, until = 0, True, asyncio.get_running_loop().time() + BODY_SECONDS

    async def counted() -> Message:
        nonlocal got, more
        try:
            async with asyncio.timeout_at(until if more else None):
                message = await receive()
        except TimeoutError:
            raise body_timeout(BODY_SECONDS) from None
        more = bool(message.get("more_body", False))
        got += len(message.get("body", b""))
        if got > limit:
            raise BodyTooLarge(limit)
        return message

    return counted


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope["headers"])


def _declared(scope: Scope) -> int:
    value = _headers(scope).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0


def _request_id(scope: Scope) -> str:
    given = _headers(scope).get(b"x-request-id", b"").decode("latin-1")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{1,100}", given) else uuid.uuid4().hex


def _log_request(scope: Scope, status: int | bool, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    method = scope["method"] if scope["method"] in METHODS else "other"
    SECONDS.labels(route, method, str(status)).observe(seconds)
    log.info("request", method=method, route=route, status=status, seconds=round(seconds, 4))
