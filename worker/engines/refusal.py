"""Maps a server's error response to our errors, by its status and its message."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from base.retry_after import retry_after_seconds
from worker.engines import EngineBusy, EngineFailed, EngineRefused, InputTooLarge

BUSY = frozenset({429, 503, 529})
TRANSIENT = frozenset({408, 409, 425})
"""Statuses after which the same call may succeed, as after other 5xx."""
CONFIGURATION = frozenset({401, 402, 403, 404, 405, 407, *range(300, 400)})
"""Statuses that a wrong address, key or model causes."""
TOO_LARGE = 413
VAGUE = frozenset({None, 400, 413, 422, 500})
"""Statuses under which servers say that a prompt is too long."""
WORDS = {
    "context_length": TOO_LARGE, "exceed_context": TOO_LARGE, "request_too_large": TOO_LARGE,
    "rate_limit": 429, "resource_exhausted": 429, "insufficient_quota": 429, "too_many_requests": 429,
    "overloaded": 529, "unavailable": 503,
    "invalid_api_key": 401, "authentication": 401, "permission": 403,
    "model_not_found": 404, "not_found": 404,
    "server_error": 500, "internal": 500, "timeout": 504,
    "invalid_request": 400, "badrequest": 400, "bad_request": 400,
}  # fmt: skip
"""Statuses by substrings of an error's `code` and `type`, for errors without a status."""
TOO_LONG = re.compile(
    r"(?:context|prompt|input|token)s?\b.{0,80}\b(?:length|long|exceed\w*|window|limit|size)\b"
    r".{0,200}\b(?:token|context|long|exceed)|too many (?:input )?tokens|prompt is too long",
    re.IGNORECASE | re.DOTALL,
)
LONGEST_SAID = 300
ADDRESSES = re.compile(
    r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>)\]]+"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    r"|\[?\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}\b\]?(?::\d+)?"
    r"|\blocalhost\b(?::\d+)?"
    r"|\b[\w-]+(?:\.[\w-]+)*:\d{2,5}\b"
    r"|\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b(?!\()"
    r"|(?<![\w/])/[\w.-]+(?:/[\w.-]+)+",
    re.IGNORECASE,
)
"""URLs, IP addresses, host names and file paths."""
KEYS = re.compile(r"\b(?:sk|pk|key|org|proj|gsk|hf|xai|AIza|Bearer)[-_ ][\w*.-]{6,}|\b[\w*-]{32,}")


@dataclass(frozen=True)
class ErrorReply:
    """A server's error; `kind`: its code and type; `status`: if the error itself has one."""

    message: str
    kind: str = ""
    status: int | None = None


def parse_error(error: Any) -> ErrorReply:
    """An `error` value, which servers send as an object, a string, or a list of either."""
    if isinstance(error, list) and error:
        error = error[0]
    if not isinstance(error, dict):
        return ErrorReply("" if error is None else str(error))
    inner = error.get("error") or error.get("detail")
    if inner and inner is not True:
        return parse_error(inner)
    codes = [error.get(name) for name in ("code", "status", "status_code")]
    status = next((int(str(c)) for c in codes if re.fullmatch("[345][0-9][0-9]", str(c))), None)
    kind = " ".join(str(error.get(name) or "") for name in ("code", "type", "status"))
    return ErrorReply(str(error.get("message") or error.get("msg") or ""), kind.lower(), status)


def parse_error_body(body: bytes) -> ErrorReply:
    """The body of an error response: JSON or plain text; of an HTML page nothing is kept."""
    text = body.decode("utf-8", "replace").strip()
    try:
        return parse_error(json.loads(text))
    except (ValueError, RecursionError):
        return ErrorReply("" if text.startswith("<") else text)


def error_of_refusal(status: int | None, reply: ErrorReply, after_seconds: float | None = None) -> Exception:
    """The exception to raise. If the status is missing or vague, code, type and message decide."""
    status = _status(status or reply.status, reply)
    words = reply.message.strip()[: 4 * LONGEST_SAID]
    detail = f": {clean}" if (clean := without_addresses(words)) else "."
    if status == TOO_LARGE:
        return InputTooLarge(f"The model's server finds the prompt too large{detail}")
    if status in BUSY:
        return EngineBusy(f"The model's server takes no more calls at the moment ({status}){detail}", words,
                          after_seconds)  # fmt: skip
    if status in TRANSIENT or status >= 500:
        return EngineFailed(f"The model's server failed ({status}){detail}", words)
    message = f"The model's server refused the call ({status}){detail}"
    return EngineRefused(message, words, affects_all=status in CONFIGURATION)


def _status(status: int | None, reply: ErrorReply) -> int:
    by_words = next((found for word, found in WORDS.items() if word in reply.kind), None)
    too_long = by_words == TOO_LARGE or (by_words not in BUSY and TOO_LONG.search(reply.message[:2000]))
    if too_long and status in VAGUE:
        return TOO_LARGE
    return (by_words or status or 500) if status in (None, 400) else status


def without_addresses(text: str) -> str:
    """The message for the job's owner: on one line, cut, and without addresses, paths and keys."""
    clean = KEYS.sub("[key]", ADDRESSES.sub("[address]", " ".join(text.split())))
    return clean if len(clean) <= LONGEST_SAID else f"{clean[:LONGEST_SAID]}…"


def asked_to_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait. A date is compared with the response's own `Date`, if any."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    if "retry-after" not in headers:
        return None
    try:
        now = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        now = datetime.datetime.now(datetime.UTC)
    now = now if now.tzinfo else now.replace(tzinfo=datetime.UTC)
    return retry_after_seconds(headers["retry-after"], now) or None
