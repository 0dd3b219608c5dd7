"""The API over HTTP: one method for each call; errors are `ApiError` and `Unreachable`."""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from .fit import encode

ATTEMPTS = 5
FIRST_DELAY_SECONDS = 0.5
# If the server asks for a longer delay, the error is shown instead.
LONGEST_DELAY_SECONDS = 60.0
RETRIED = frozenset({429, 502, 503, 504})

Job = dict[str, Any]


class ApiError(Exception):
    """A problem+json answer. `errors`: {"pointer", "message"} each; `retry_after`: in seconds."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: list[dict[str, str]] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.request_id = request_id
        self.retry_after = retry_after


class Unreachable(Exception):
    """There was no answer: the API isn't running, the URL is wrong, or the connection broke."""


class Client:
    """A connection to one API with one key. Every call raises `ApiError` or `Unreachable`.

    `timeout_seconds`: limit for each answer, in addition to a call's `wait`. `on_retry` is called before each
    retry with the reason and the delay in seconds. `sleep`: for tests.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        timeout_seconds: float = 15.0,
        *,
        sleep: Callable[[float], None] = time.sleep,
        on_retry: Callable[[str, float], None] | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}", "User-Agent": "til-client/0.1"}
        self._http = httpx.Client(base_url=base_url, headers=headers)
        self._timeout_seconds = timeout_seconds
        self._sleep = sleep
        self._on_retry = on_retry or (lambda _why, _seconds: None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def submit(
        self, request: dict[str, Any], idempotency_key: str | None = None, wait: int | None = None
    ) -> Job:
        """Submits a request body and returns the job. `wait`: up to so many seconds (1..60) for its end.

        Retried up to 4 times after 429, 502..504 or a broken connection, as `Retry-After` says. A retry makes
        no second job: each has the same Idempotency-Key, the given one or else a random one.
        """
        headers = {
            "Idempotency-Key": idempotency_key or str(uuid.uuid4()),
            "Content-Type": "application/json",
        }
        if wait:
            headers["Prefer"] = f"wait={wait}"
        return self._with_retries("POST", "/v1/til", wait=wait, headers=headers, content=encode(request))

    def job(self, job_id: str, wait: int | None = None) -> Job:
        """The job now; with `wait` (1..60), at its end or after so many seconds. Retried as `submit` is."""
        params = {"wait": wait} if wait else None
        return self._with_retries("GET", job_path(job_id), wait=wait, params=params)

    def jobs(self, **filters: str | int | None) -> dict[str, Any]:
        """`{"jobs", "next_cursor"}`, newest first. Filters have the API's names; None: no such filter."""
        params = {name: value for name, value in filters.items() if value is not None}
        return self._once("GET", "/v1/jobs", params=params)

    def cancel(self, job_id: str) -> Job:
        """Cancels a queued job, or asks a running one to stop. Returns the job."""
        return self._once("POST", f"{job_path(job_id)}/cancel")

    def queue(self) -> dict[str, Any]:
        """The queue's numbers: `queued`, `running`, `workers`, `slots`, ..."""
        return self._once("GET", "/v1/queue")

    def rotate_webhook_secret(self, overlap_seconds: int) -> dict[str, Any]:
        """Makes a new signing secret: `secret`, which is shown only here, and `previous_valid_until`."""
        body = {"overlap_seconds": overlap_seconds}
        return self._once("POST", "/v1/webhook-secret/rotate", json=body)

    def ready(self) -> bool:
        """Whether the API is ready for requests. Raises `Unreachable` without an answer."""
        return self._send("GET", "/readyz").status_code == httpx.codes.OK

    def _with_retries(self, method: str, path: str, wait: int | None, **parts: Any) -> dict[str, Any]:
        for attempt in range(1, ATTEMPTS):
            delay = min(FIRST_DELAY_SECONDS * 2 ** (attempt - 1), LONGEST_DELAY_SECONDS)
            try:
                return self._once(method, path, wait, **parts)
            except ApiError as error:
                delay = delay if error.retry_after is None else error.retry_after
                if error.status not in RETRIED or delay > LONGEST_DELAY_SECONDS:
                    raise
                why = f"{error.status} {error.code}"
            except Unreachable as error:
                why = str(error)
            self._on_retry(why, delay)
            self._sleep(delay)
        return self._once(method, path, wait, **parts)

    def _once(self, method: str, path: str, wait: int | None = None, **parts: Any) -> dict[str, Any]:
        response = self._send(method, path, wait, **parts)
        body = json_object(response)
        if response.is_success and body is not None:
            return body
        raise api_error(response, body)

    def _send(self, method: str, path: str, wait: int | None = None, **parts: Any) -> httpx.Response:
        timeout = httpx.Timeout(self._timeout_seconds, read=self._timeout_seconds + (wait or 0))
        try:
            return self._http.request(method, path, timeout=timeout, **parts)
        except (httpx.TransportError, httpx.DecodingError) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"No answer from {self._http.base_url}: {reason}") from error


def job_path(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"


def json_object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def api_error(response: httpx.Response, body: dict[str, Any] | None) -> ApiError:
    """From problem+json; any other answer (a proxy's page, another server) has the code unexpected_answer."""
    problem = body or {}
    errors = problem.get("errors")
    return ApiError(
        status=response.status_code,
        code=str(problem.get("code") or "unexpected_answer"),
        detail=str(problem.get("detail") or problem.get("title") or "This is not an answer of the til API."),
        errors=[error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else None,
        request_id=problem.get("request_id") or response.headers.get("X-Request-Id"),
        retry_after=retry_after_seconds(response.headers.get("Retry-After")),
    )


def retry_after_seconds(value: str | None) -> float | None:
    """`Retry-After` is seconds or an HTTP date (RFC 9110, section 10.2.3); None if absent or neither."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds())
